"""`Tunable`: what is trained, a suffix with heads on what it gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from icecore.backbones import SequenceBackbone, TorchBackbone
from icecore.prefix import Suffix, canonical_pooling, pool
from icecore.training.examples import Batch


class Tunable(nn.Module):
    """A suffix, pooled to a vector an item, with layers for each target on it.

    Args:
        backbone: the network that was cut.
        suffix: above the cut.
        heads: layers (n, d) -> logits (n, k) for each target.
        pooling: of what the suffix gives.
        train_norm: let normalisation layers of the suffix learn.
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
        if not train_norm:
            for part in suffix.norms():
                part.requires_grad_(requires_grad=False)
        if dropout:
            for part in suffix.network.modules():
                if isinstance(part, nn.Dropout):
                    part.p = dropout

    def features(self, batch: Batch) -> Tensor:
        """Float32 (n, d)."""
        value = self.suffix(batch.boundary, batch.inputs)
        own = self._pooling
        return self.backbone.reduced(self._layer, value, batch.items, lambda layer, rows: pool(layer, rows, own))

    def logits(self, features: Tensor) -> list[Tensor]:
        """For each target (n, k), from features (n, d)."""
        return [head(features) for head in self.heads]

    def forward(self, batch: Batch) -> list[Tensor]:
        """For each target (n, k)."""
        return self.logits(self.features(batch))

    def train(self, mode: bool = True) -> Tunable:
        """Set the mode. The frozen part, standardisations and, unless they are trained, norms stay as they are."""
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


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


def as_codes(codes: Sequence[np.ndarray], index: np.ndarray, device: torch.device) -> list[Tensor]:
    """The class codes of some items, for each target."""
    return [torch.from_numpy(own[index].astype(np.int64)).to(device) for own in codes]
