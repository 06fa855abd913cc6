"""`Tunable`: what is trained, a suffix with heads on what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from icecore.backbones import SequenceBackbone, TorchBackbone
from icecore.prefix import Suffix, canonical_pooling, pool
from icecore.prefix.trees import Tree
from icecore.training.examples import Batch


class Tunable(nn.Module):
    """A suffix, pooled to a vector an item, with layers for each target on it.

    Args:
        backbone: the network that was cut.
        suffix: above the cut.
        heads: layers (n, d) -> logits (n, k) for each target.
        pooling: of what the suffix gives.
        train_norm: let normalisation layers of the suffix follow the statistics of the batches.
        dropout: see `TrainingSettings`.
    """

    def __init__(
        self,
        backbone: TorchBackbone,
        suffix: Suffix,
        heads: Sequence[nn.Module],
        *,
        pooling: str = "mean",
        train_norm: bool = False,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.suffix, self.heads = suffix, nn.ModuleList(heads)
        self.backbone, self._layer = backbone, backbone.layers()[suffix.layer]
        self._pooling = canonical_pooling(self._layer, pooling)
        self._train_norm, self._dropout = train_norm, dropout
        self._convolves = _channels_last(suffix)
        if dropout:
            for part in suffix.network.modules():
                if isinstance(part, nn.Dropout):
                    part.p = dropout

    def features(self, batch: Batch) -> Tensor:
        """Float32 (n, d)."""
        boundary, inputs = batch.boundary, batch.inputs
        if self._convolves:  # twice as fast on a CPU
            boundary, inputs = _as_channels_last(boundary), _as_channels_last(inputs)
        value = self.suffix(boundary, inputs)
        own = self._pooling
        return self.backbone.reduced(self._layer, value, batch.items, lambda layer, rows: pool(layer, rows, own))

    def logits(self, features: Tensor) -> list[Tensor]:
        """For each target (n, k), from features (n, d)."""
        return [head(features) for head in self.heads]

    def forward(self, batch: Batch) -> list[Tensor]:
        """For each target (n, k)."""
        return self.logits(self.features(batch))

    def train(self, mode: bool = True) -> Tunable:
        """Set the mode. The frozen part, standardisations and, unless `train_norm`, statistics stay as they are."""
        super().train(mode)
        self.suffix.train(mode and self._dropout != 0)
        for part in self.suffix.norms():
            part.training = mode and self._train_norm
        for part in self.heads.modules():
            if isinstance(part, nn.BatchNorm1d) and not part.affine:
                part.training = False
        return self

    @property
    def mixable(self) -> bool:
        """Whether the boundaries of two items can be mixed: those of sequences differ in length."""
        return not isinstance(self.backbone, SequenceBackbone)

    def weights(self) -> dict[str, Tensor]:
        """What training changes, by name: parameters with a gradient, and the buffers of norms that are trained."""
        found: dict[str, Tensor] = {name: value for name, value in self.named_parameters() if value.requires_grad}
        if self._train_norm:
            norms = {id(buffer) for part in self.suffix.norms() for buffer in part.buffers(recurse=False)}
            found |= {name: value for name, value in self.named_buffers() if id(value) in norms}
        return found

    @torch.no_grad()
    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Take weights that `weights` gave."""
        own = self.weights()
        for name, value in weights.items():
            own[name].copy_(value)


def _channels_last(suffix: Suffix) -> bool:
    """Bring the weights of convolutions into the order that they are fastest in. Whether there are any."""
    kernels = [value for value in suffix.trainable.values() if value.dim() == 4]
    for value in kernels:
        value.data = value.data.contiguous(memory_format=torch.channels_last)
    return bool(kernels)


def _as_channels_last(value: Any) -> Any:
    tree = Tree.of(value)
    return tree.with_leaves([_ordered(leaf) for leaf in tree.leaves])


def _ordered(leaf: Any) -> Any:
    images = isinstance(leaf, Tensor) and leaf.dim() == 4 and 0 not in leaf.stride()
    return leaf.contiguous(memory_format=torch.channels_last) if images else leaf


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in weights.items()}
