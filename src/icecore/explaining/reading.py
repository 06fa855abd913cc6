"""What an explanation needs of a model: one target of it, as functions of prepared inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.artifact import Predictor, TargetRef
from icecore.backbones import Layer
from icecore.explaining.differentiable import Function, as_function, log_odds
from icecore.prefix import Column, pool
from icecore.tasks import task_of

_TOGETHER = 16


@dataclass(frozen=True, eq=False)
class Reading:
    """A target of a model: the network, the columns that the head reads, and the head.

    Attributes:
        predictor: the model.
        target: which of its targets.
        centre: mean of the features over training items, (d,), which contributions are measured from; zeros where
            it is not known.
    """

    predictor: Predictor
    target: TargetRef
    centre: np.ndarray | None = None

    @property
    def backbone(self) -> Any:
        """The network."""
        return self.predictor.backbone

    @cached_property
    def columns(self) -> list[Column]:
        """That the head reads, in its order."""
        return [self.predictor.columns[i] for i in self.target.columns]

    @cached_property
    def names(self) -> list[str]:
        """Of the layers that these are of, each once."""
        return list(dict.fromkeys(column.layer for column in self.columns))

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """Of these names."""
        every = self.backbone.layers()
        return {name: every[name] for name in self.names}

    @cached_property
    def function(self) -> Function | None:
        """The head, differentiable; None where it is not."""
        return as_function(self.predictor.heads[self.target.name])

    def says(self, features: np.ndarray) -> np.ndarray:
        """What the head says of features (n, d): probabilities (n, k), or numbers (n, 1)."""
        task = task_of(self.target.task, self.target.classes)
        said = task.says(self.predictor.heads[self.target.name], features)
        return said[:, : max(1, len(self.target.classes))]

    def scores(self, prepared: Sequence[Any], code: int) -> np.ndarray:
        """What is explained, of prepared inputs, (n,): the log odds of a class; of a number, the number."""
        features = self.features(prepared)
        if self.function is not None:
            with torch.no_grad():
                return np.asarray(self.score(self.function(torch.from_numpy(features).double()), code))
        return np.asarray(self.score(torch.from_numpy(np.asarray(self.says(features), np.float64)), code))

    def score(self, said: Tensor, code: int) -> Tensor:
        """The same from what the head gives, (n, k)."""
        return said[:, 0] if self.target.task == "regression" else log_odds(said, code)

    def slope_score(self, features: Tensor, code: int) -> Tensor:
        """The sum of it over features (n, d), to be differentiated."""
        assert self.function is not None  # noqa: S101 - whoever asks has looked
        return self.score(self.function(features.double().cpu()), code).sum()

    def features(self, prepared: Sequence[Any]) -> np.ndarray:
        """What the head reads of prepared inputs, (n, d) float32."""
        parts = [self._grouped(prepared[i : i + _TOGETHER]) for i in range(0, len(prepared), _TOGETHER)]
        return np.concatenate(parts)

    def _grouped(self, prepared: Sequence[Any]) -> np.ndarray:
        """Those of a few inputs, of which some may share a batch."""
        groups: dict[Any, list[int]] = {}
        for place, one in enumerate(prepared):
            groups.setdefault(self.backbone.bucket(one), []).append(place)
        rows: list[np.ndarray] = [np.empty(0)] * len(prepared)
        for places in groups.values():
            for place, row in zip(places, self._features([prepared[i] for i in places]), strict=True):
                rows[place] = row
        return np.stack(rows).astype(np.float32)

    def _features(self, batch: Sequence[Any]) -> np.ndarray:
        """(n, d), what the head reads of inputs that may share a batch."""
        poolings = {name: [c.pooling for c in self.columns if c.layer == name] for name in self.names}
        sizes: dict[str, int] = {}

        def reduce(layer: Layer, value: Tensor) -> Tensor:
            parts = [pool(layer, value, pooling).flatten(1) for pooling in poolings[layer.name]]
            sizes[layer.name] = parts[0].shape[1]
            return torch.cat(parts, 1)

        found = self.backbone.run(batch, self.names, reduce)
        return np.hstack([self._own(column, found[column.layer], poolings, sizes) for column in self.columns])

    def _own(self, column: Column, values: Tensor, poolings: dict[str, list[str]], sizes: dict[str, int]) -> np.ndarray:
        """The part of a layer's values that one of its columns has."""
        others = poolings[column.layer]
        if len(others) == 1:
            return np.asarray(values.float().cpu())
        at = others.index(column.pooling) * sizes[column.layer]
        return np.asarray(values[:, at : at + sizes[column.layer]].float().cpu())
