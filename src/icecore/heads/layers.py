"""Torch layers as steps: a JSON description and weights, run on the CPU in float32. Torch is imported when they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from icecore.heads.steps import Step

if TYPE_CHECKING:
    from torch import nn

    from icecore.heads.protocol import Arrays, Config


@dataclass(frozen=True, eq=False)
class TorchStep(Step):
    """A module of torch in evaluation mode."""

    weights: dict[str, np.ndarray] = field(default_factory=dict)

    def built(self) -> nn.Module:
        """The module, as it was before it had these weights."""
        raise NotImplementedError(type(self).__name__)

    @cached_property
    def module(self) -> nn.Module:
        """The module with these weights."""
        import torch

        module = self.built().eval()
        module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in self.weights.items()})
        return module

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k), float64."""
        import torch

        with torch.inference_mode():
            out = self.module(torch.from_numpy(np.array(X, dtype=np.float32)))
        return np.asarray(out.double().numpy())

    def state(self) -> tuple[Config, Arrays]:
        """See `Step.state`."""
        return {"kind": self.kind} | self._plain(), dict(self.weights)

    def _plain(self) -> dict[str, Any]:
        raise NotImplementedError(type(self).__name__)

    @classmethod
    def restored(cls, config: Config, arrays: Arrays) -> Self:
        """See `Step.restored`."""
        return cls(weights=arrays, **{name: value for name, value in config.items() if name != "kind"})


@dataclass(frozen=True, eq=False)
class Layers(TorchStep):
    """Nested `torch.nn.Sequential` of torch's own layers; see `icecore.heads.describing`."""

    kind: ClassVar[str] = "layers.v1"
    layers: dict[str, Any] = field(default_factory=dict)

    def built(self) -> nn.Module:
        """See `TorchStep.built`."""
        from icecore.heads.describing import build

        return build(self.layers)

    def _plain(self) -> dict[str, Any]:
        return {"layers": self.layers}


@dataclass(frozen=True, eq=False)
class FactoryLayers(TorchStep):
    """Layers that the user's own function builds: `factory` is `module:name`, called with (n_features, n_classes)."""

    kind: ClassVar[str] = "factory.v1"
    factory: str = ""
    n_features: int = 0
    n_classes: int = 0

    def built(self) -> nn.Module:
        """See `TorchStep.built`."""
        from icecore.heads.factories import call

        return call(self.factory, self.n_features, self.n_classes)

    def _plain(self) -> dict[str, Any]:
        return {"factory": self.factory, "n_features": self.n_features, "n_classes": self.n_classes}
