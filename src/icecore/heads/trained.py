"""Layers that were trained here, as a step, and what is asked of layers before they are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn

from icecore.errors import HeadError
from icecore.heads.describing import describe
from icecore.heads.layers import Layers
from icecore.heads.steps import Step

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config


@dataclass(frozen=True, eq=False)
class Trained(Step):
    """A module in memory. Its state is that of `Layers`, where it can be written down."""

    kind: ClassVar[str] = Layers.kind
    module: nn.Module

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k), float64."""
        with torch.inference_mode():
            out = self.module(torch.from_numpy(X.astype(np.float32)))
        return np.asarray(out.double().numpy())

    def state(self) -> tuple[Config, Arrays]:
        """The layers and their weights. Raises HeadError where they cannot be written down."""
        return Layers(weights(self.module), describe(self.module)).state()


def weights(module: nn.Module) -> dict[str, np.ndarray]:
    """Parameters and buffers by name."""
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


def require_logits(module: nn.Module, Z: np.ndarray, k: int) -> None:
    """Run two rows (2, d). Raises HeadError unless logits (2, k) come out. Lazy layers learn their width from it."""
    _refuse_probabilities(module)
    _require_outputs(module, Z, k, f"a logit for each of the {k} classes")


def require_value(module: nn.Module, Z: np.ndarray) -> None:
    """The same for layers that give a number: (2, 1)."""
    _require_outputs(module, Z, 1, "the number that is predicted")


def _require_outputs(module: nn.Module, Z: np.ndarray, k: int, meaning: str) -> None:
    module.eval()
    width = Z.shape[1]
    try:
        with torch.no_grad():
            shape = tuple(module(torch.from_numpy(np.resize(Z, (2, width)))).shape)
    except RuntimeError as error:
        raise HeadError(
            f"The layers do not take {width} features: {error}.",
            expected=f"They take rows of {width} features, the width of the chosen layer after pooling.",
            do=f"Make the first layer {width} wide, or nn.LazyLinear.",
        ) from error
    if shape != (2, k):
        raise HeadError(
            f"The layers turn two rows of {width} features into an output of shape {shape}.",
            expected=f"The shape (2, {k}): {meaning}.",
            do=f"Make the last layer nn.Linear(..., {k}).",
        )


def _refuse_probabilities(module: nn.Module) -> None:
    last = list(module.modules())[-1]
    if type(last) in (nn.Softmax, nn.Sigmoid, nn.Softmin):
        raise HeadError(
            f"The last of the layers is {type(last).__name__}, which gives probabilities.",
            expected="Logits: the softmax is added here.",
            do="Leave that layer out.",
        )
