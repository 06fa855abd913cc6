"""Texts: integrated gradients on the vectors of the tokens (Sundararajan, Taly and Yan 2017), added up by words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from icecore.backbones import SequenceBackbone
from icecore.backbones.tokens import TokenPreprocessing
from icecore.explaining.occlusion import words_of
from icecore.explaining.reading import Reading
from icecore.prefix import pool

_STEPS = 24


def can_be_integrated(reading: Reading) -> bool:
    """Whether the network takes tokens of a tokenizer that says where each is in the text."""
    backbone = reading.backbone
    if not isinstance(backbone, SequenceBackbone) or not isinstance(backbone.preprocessing, TokenPreprocessing):
        return False
    return bool(getattr(backbone.preprocessing.tokenizer, "is_fast", False))


def integrated(reading: Reading, text: str, code: int) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
    """Spans of the words, and what each adds to the decision, (m,); of a long text those that the network read first.

    Raises RuntimeError where the network cannot be differentiated.
    """
    backbone: SequenceBackbone = reading.backbone.at_precision("float32")
    prepared = backbone.prepare(text)
    embedding = _embedding(backbone.module, prepared.windows[0].inputs["input_ids"])
    vectors, slope = _slopes(reading, backbone, prepared, embedding, code)
    return _by_words(text, (slope * vectors).sum(-1).numpy(), backbone.preprocessing)


def _slopes(
    reading: Reading, backbone: SequenceBackbone, prepared: Any, embedding: nn.Module, code: int
) -> tuple[Tensor, Tensor]:
    """Vectors of the first window's tokens, (t, d), and the mean slope of the decision on the way to them from 0."""
    leaves: list[tuple[Tensor, Tensor]] = []
    shares = ((torch.arange(_STEPS) + 0.5) / _STEPS).repeat_interleave(len(prepared.windows))

    def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        leaf = (shares.to(output)[:, None, None] * output.detach()).requires_grad_()
        leaves.append((output.detach(), leaf))
        return leaf.clone()

    taken: dict[str, Tensor] = {}
    batch = [prepared] * _STEPS
    handle = embedding.register_forward_hook(hook)
    try:
        with torch.enable_grad(), backbone.running(backbone.stack(batch)) as (module, inputs):
            backbone.whole_pass(module, inputs, reading.names, lambda name, value: taken.update({name: value}))
            pooled = [_pooled(backbone, c.layer, c.pooling, taken[c.layer], batch) for c in reading.columns]
            torch.autograd.backward(reading.slope_score(torch.cat(pooled, 1), code))
    finally:
        handle.remove()
    vectors, leaf = leaves[0]
    assert leaf.grad is not None  # noqa: S101 - the decision reads it
    return vectors[0].float().cpu(), leaf.grad[:: len(prepared.windows)].sum(0).float().cpu() / _STEPS


def _pooled(backbone: SequenceBackbone, name: str, pooling: str, value: Tensor, batch: list[Any]) -> Tensor:
    activation = (value[:, None] if value.dim() == 1 else value).float()
    layer = backbone.layers()[name]
    return backbone.reduced(layer, activation, batch, lambda own, x: pool(own, x, pooling).flatten(1))


def _embedding(module: nn.Module, ids: Tensor) -> nn.Module:
    """The module that turns tokens into vectors: the embedding with most rows, which is that of the words."""
    found = [
        part for part in module.modules() if isinstance(part, nn.Embedding) and part.num_embeddings > int(ids.max())
    ]
    if not found:
        raise RuntimeError("no embedding of tokens was found")
    return max(found, key=lambda part: part.num_embeddings)


def _by_words(text: str, tokens: np.ndarray, preprocessing: Any) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
    said = text.lower() if preprocessing.lower else text
    found = preprocessing.tokenizer(
        said, truncation=True, max_length=preprocessing.max_length, return_offsets_mapping=True
    )["offset_mapping"]
    spans = words_of(text)
    values = np.zeros(len(spans))
    for (start, end), value in zip(found, tokens, strict=False):
        if end > start:
            inside = [place for place, (a, b) in enumerate(spans) if a < end and start < b]
            values[inside] += value / max(len(inside), 1)
    return spans, values
