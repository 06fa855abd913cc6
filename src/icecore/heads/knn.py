"""k nearest neighbours on standardised rows of length one (so by angle)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.heads import specs
from icecore.heads.knn_numbers import KnnRegressor
from icecore.heads.named import NamedHead, Penalties
from icecore.heads.neighbours import Neighbours, nearest, shares
from icecore.heads.split import Split
from icecore.heads.steps import Normalise, Step
from icecore.heads.weighting import class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

_PRIOR = 1.0  # one vote for all classes together


class KnnHead(NamedHead):
    """k nearest neighbours. `penalty` is k: more neighbours, smoother borders.

    Probabilities are the shares of votes, with one more vote spread over all classes. With balanced classes a vote
    weighs the inverse of its class's frequency.

    Example:
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> KnnHead("k=1").fit(X, y, n_classes=2).predict_proba(X).round(2).tolist()[0]
        [0.75, 0.25]
    """

    name = "knn"
    regressor = KnnRegressor
    stores_training_rows = True
    penalties = (20.0, 10.0, 5.0, 3.0, 1.0)
    default_penalty = 5.0
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"k": specs.count}
    penalty_option = "k"
    gives_logits = True

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """See `NamedHead.decisions`: logarithms of probabilities. One search serves every number of neighbours."""
        unit = Normalise()
        counts = [round(self._strength(penalty)) for penalty in penalties]
        _, index = nearest(unit(split.Z).astype(np.float32), unit(split.Z_test), max(counts))
        found, weights = split.codes[index], class_weights(split.codes, split.k, self.class_weight)
        votes = np.ones(found.shape)
        return np.stack([np.log(shares(votes[:, :m], found[:, :m], weights, _PRIOR)) for m in counts])

    def steps_for(self, split: Split, warmth: float) -> list[Step]:
        """See `NamedHead.steps_for`: shares of votes are probabilities as they are."""
        del warmth
        unit, weights = Normalise(), class_weights(split.codes, split.k, self.class_weight)
        rows, count = unit(split.Z).astype(np.float32), round(self._strength(self.penalty))
        return [split.scale, unit, Neighbours(rows, split.codes, weights, count, _PRIOR)]
