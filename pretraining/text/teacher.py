"""The teacher: a sentence encoder, asked about single tokens and about texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.backbones.torchvision_ops import ensure_torchvision_imports

TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
LONGEST = 48  # tokens of a text
BATCH = 256


class Teacher:
    """A network of BERT's kind with mean pooling, in bfloat16.

    Args:
        name: hub id or folder.
    """

    def __init__(self, name: str) -> None:
        ensure_torchvision_imports()
        from transformers import AutoModel, AutoTokenizer

        self.module: Any = AutoModel.from_pretrained(name).eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(name)

    @property
    def size(self) -> int:
        """Of the vocabulary."""
        return int(self.tokenizer.vocab_size)

    def words(self) -> list[str]:
        """Whole words of the vocabulary, from three letters, in its order, which is about that of their frequency."""
        ordered = sorted(self.tokenizer.get_vocab().items(), key=lambda pair: pair[1])
        return [token for token, _ in ordered if re.fullmatch(r"[a-z]{3,}", token)]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of texts, without special ones."""
        encoded: list[list[int]] = self.tokenizer(
            list(texts), add_special_tokens=False, truncation=True, max_length=LONGEST
        )["input_ids"]
        return encoded

    def of_tokens(self) -> np.ndarray:
        """What it says of each token alone. (vocabulary, channels)."""
        return self._said([[number] for number in range(self.size)])

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """What it says of texts. (n, channels)."""
        return self._said(self.ids(texts))

    def _said(self, ids: list[list[int]]) -> np.ndarray:
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        said = np.zeros((len(ids), self.module.config.hidden_size), np.float32)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(order), BATCH):
                places = order[start : start + BATCH]
                said[places] = self._mean([[first, *ids[place], last] for place in places])
        return said

    def _mean(self, batch: list[list[int]]) -> np.ndarray:
        longest = max(map(len, batch))
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in batch])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
        hidden: Tensor = self.module(input_ids=padded, attention_mask=mask).last_hidden_state.float()
        return ((hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)).numpy()
