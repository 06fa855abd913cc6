"""The mean of the k nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.heads import specs
from icecore.heads.neighbours import NeighbourMean, nearest
from icecore.heads.numbers import NamedRegressor
from icecore.heads.split import Sides
from icecore.heads.steps import Normalise, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.named import Penalties


class KnnRegressor(NamedRegressor):
    """The mean of the k nearest rows, by angle, on standardised rows. `penalty` is k: more neighbours, smoother.

    Example:
        >>> X = np.eye(4, dtype="float32")
        >>> KnnRegressor("k=1").fit(X, np.arange(4.0)).predict(X).round(6).tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    name = "knn"
    stores_training_rows = True
    penalties = (40.0, 20.0, 10.0, 5.0, 3.0, 1.0)
    default_penalty = 5.0
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"k": specs.count}
    penalty_option = "k"

    def values(self, sides: Sides, y: np.ndarray, penalties: Penalties) -> np.ndarray:
        """See `NamedRegressor.values`. One search serves every number of neighbours."""
        unit = Normalise()
        counts = [round(self._strength(penalty)) for penalty in penalties]
        _, index = nearest(unit(sides.Z).astype(np.float32), unit(sides.Z_test), max(counts))
        return np.stack([y[index[:, :count]].mean(axis=1) for count in counts])

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        sides, unit = Sides(X), Normalise()
        rows = unit(sides.Z).astype(np.float32)
        return [sides.scale, unit, NeighbourMean(rows, y, round(self._strength(self.penalty)))]
