"""From a text to the ids of tokens that have a vector: by words, or by the tokenizer of a model2vec folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from statistics import median
from typing import Any

import torch

from icecore import keys
from icecore.backbones.static_module import TokenIds
from icecore.data import remark
from icecore.data.texts import remark_cut

WORD = r"\w+(?:['’]\w+)*|[^\w\s]"
PIECE = r"\w+(?=n['’]t\b)|n['’]t\b|['’]\w+|\w+|[^\w\s]"


class WordPreprocessing:
    """A text as words: runs of letters and digits, with apostrophes inside, and every other sign by itself.

    A word that has no vector is tried in the pieces that word lists of English know: `don't` as `do`, `n't`; `cat's` as
    `cat`, `'s`. What is still unknown is left out and counted.

    Args:
        vocabulary: the place of each word's vector.
        lower: whether texts are lowered first.
    """

    def __init__(self, vocabulary: Mapping[str, int], *, lower: bool = True) -> None:
        self.vocabulary, self._lower = vocabulary, lower

    @cached_property
    def value(self) -> Mapping[str, Any]:
        """JSON form: the patterns, and a digest of the words."""
        words = keys.digest("words", [word.encode("utf-8", "surrogatepass") for word in self.vocabulary]).hex()
        return {"type": "words.v1", "lower": self._lower, "word": WORD, "piece": PIECE, "words": words}

    def __call__(self, decoded: str) -> TokenIds:
        """The ids of the known words, in order."""
        text = decoded.lower() if self._lower else decoded
        words: list[str] = []
        for word in re.findall(WORD, text):
            words += [word] if word in self.vocabulary else re.findall(PIECE, word)
        known = [self.vocabulary[word] for word in words if word in self.vocabulary]
        return _ids(known, decoded, len(words) - len(known))


class TokenizerPreprocessing:
    """A text as tokens of a model2vec folder's own tokenizer, without special and unknown ones.

    As in that library, the text is first cut to `max_length` times the median length of a token, then to `max_length`
    tokens.

    Args:
        tokenizer: of the library tokenizers, without truncation and padding.
        max_length: in tokens; None for no limit.
    """

    def __init__(self, tokenizer: Any, max_length: int | None) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length
        self._unknown = _unknown_id(tokenizer)
        usual = int(median(len(token) for token in tokenizer.get_vocab()))
        self._characters = None if max_length is None else max_length * usual

    @cached_property
    def value(self) -> Mapping[str, Any]:
        """JSON form: a digest of the tokenizer, and the limits."""
        told = json.loads(self.tokenizer.to_str()) | {"truncation": None, "padding": None}
        return {
            "type": "static-tokens.v1",
            "tokenizer": keys.key("tokenizer", told),
            "max_length": self.max_length,
            "max_characters": self._characters,
        }

    def __call__(self, decoded: str) -> TokenIds:
        """The ids of the known tokens, in order."""
        text = decoded[: self._characters]
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        within = ids[: self.max_length]
        known = [token for token in within if token != self._unknown]
        if len(text) < len(decoded) or len(within) < len(ids):
            remark_cut()
        return _ids(known, decoded, len(within) - len(known))


def _ids(known: list[int], decoded: str, unknown: int) -> TokenIds:
    if not known:
        remark("hold no word that the network knows: their features are zeros")
    return TokenIds(torch.tensor(known, dtype=torch.int64), decoded, unknown)


def _unknown_id(tokenizer: Any) -> int | None:
    """Of the token for what the vocabulary does not have; a Unigram model gives it by number."""
    model = json.loads(tokenizer.to_str())["model"]
    named = model.get("unk_token")
    found: int | None = tokenizer.token_to_id(named) if named is not None else model.get("unk_id")
    return found
