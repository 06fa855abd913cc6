"""From a text to the tokens of a network's own tokenizer, as windows of the length that the network can take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from icecore import keys
from icecore.backbones.sequences import Window, Windows
from icecore.data.texts import remark_cut

_WHOSE = "overflow_to_sample_mapping"  # as Transformers calls it


@dataclass(frozen=True, eq=False)
class TokenPreprocessing:
    """A Transformers tokenizer, with what becomes of texts that are too long.

    Attributes:
        tokenizer: of Transformers.
        max_length: tokens of a window, special ones included.
        long: `truncate` reads the beginning alone; `windows` reads all of it, in windows that overlap.
        overlap: tokens that a window shares with the one before.
        lower: whether texts are lowered first.
    """

    tokenizer: Any
    max_length: int
    long: Literal["truncate", "windows"] = "truncate"
    overlap: int = 0
    lower: bool = False

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: a digest of the tokenizer, and the settings."""
        return {
            "type": "tokens.v1",
            "class": type(self.tokenizer).__name__,
            "tokenizer": self._digest,
            "max_length": self.max_length,
            "long": self.long,
            "overlap": self.overlap,
            "lower": self.lower,
        }

    @cached_property
    def _digest(self) -> str:
        return _digest(self.tokenizer)

    @property
    def prefix_tokens(self) -> int:
        """How many special tokens stand at the start of every window."""
        ids = self.tokenizer("a")["input_ids"]
        special = set(self.tokenizer.all_special_ids)
        return next((place for place, token in enumerate(ids) if token not in special), 0)

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files, and the limit as sentence-transformers does."""
        self.tokenizer.save_pretrained(folder)
        limits = {"max_seq_length": self.max_length, "do_lower_case": self.lower}
        (folder / "sentence_bert_config.json").write_text(json.dumps(limits), "utf-8")

    def __call__(self, decoded: str) -> Windows:
        """The windows of a text."""
        return next(self.every([decoded]))

    def every(self, decoded: Sequence[str]) -> Iterator[Windows]:
        """The windows of several texts, one after the other; tokenised together, which takes half the time."""
        texts = [text.lower() if self.lower else text for text in decoded]
        found = self._windowed(texts) if self.tokenizer.is_fast else self._windowed_in_python(texts)
        names = [name for name in self.tokenizer.model_input_names if name in found and name != "attention_mask"]
        own: list[list[int]] = [[] for _ in decoded]
        for row, text in enumerate(found[_WHOSE]):
            own[text].append(row)
        for text, rows in zip(decoded, own, strict=True):
            read = rows if self.long == "windows" else rows[:1]
            if len(read) < len(rows):
                remark_cut()
            yield Windows(tuple(_window({name: found[name][row] for name in names}) for row in read), text)

    def _windowed(self, texts: list[str]) -> Mapping[str, Any]:
        """Every window of every text, and whose each is."""
        found: Mapping[str, Any] = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.max_length,
            stride=self.overlap,
            return_overflowing_tokens=True,
            return_attention_mask=False,
        )
        return found

    def _windowed_in_python(self, texts: list[str]) -> Mapping[str, Any]:
        """The same by tokenizers that are written in Python, such as ByT5's, which give one window of a text alone."""
        room = self.max_length - self.tokenizer.num_special_tokens_to_add()
        found: dict[str, list[Any]] = {_WHOSE: []}
        for number, text in enumerate(texts):
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            for start in range(0, max(1, len(ids) - self.overlap), room - self.overlap):
                own = self.tokenizer.prepare_for_model(ids[start : start + room], return_attention_mask=False)
                found[_WHOSE].append(number)
                for name, values in own.items():
                    found.setdefault(name, []).append(values)
        return found


def _window(inputs: Mapping[str, list[int]]) -> Window:
    return Window({name: torch.tensor(values) for name, values in inputs.items()}, len(inputs["input_ids"]))


def _digest(tokenizer: Any) -> str:
    """Of all that decides which tokens come of a text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        told = json.loads(backend.to_str())
        return keys.key("tokenizer", told | {"truncation": None, "padding": None})
    settings = {name: str(value) for name, value in tokenizer.init_kwargs.items() if not str(value).startswith("/")}
    return keys.key("tokenizer", {"vocabulary": tokenizer.get_vocab(), "settings": settings})
