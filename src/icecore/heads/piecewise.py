"""Linear heads that can be fitted on rows which do not fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from icecore.heads import checks
from icecore.heads.chain import on_classes_there
from icecore.heads.linear import LinearHead, Solution, on_features
from icecore.heads.moments import Moments
from icecore.heads.rows import some_rows
from icecore.heads.steps import Softmax, Step
from icecore.heads.weighting import class_weights

if TYPE_CHECKING:
    from icecore.heads.rows import Rows


class PiecewiseHead(LinearHead):
    """A linear head that asks for nothing but sums over rows, so that they may come in pieces.

    A first pass takes their moments (float64). Ridge regression is then known; the others go over the rows once for
    each evaluation of their loss. Memory follows the square of the width, and not the number of rows.
    """

    def fit_in_pieces(self, X: Rows, y: np.ndarray, *, n_classes: int) -> Self:
        """Fit as `fit` does, to the same head but for rounding, on rows that are read piece by piece.

        The temperature of heads that need one is learnt from 4,000 rows. Raises HeadError like `fit`.
        """
        y = checks.codes(y, X.shape, n_classes)
        steps = on_classes_there(lambda codes, k: self._learn_in_pieces(X, codes, k), y, n_classes)
        return self._become(steps, X.shape[1], n_classes)

    def solution_in_pieces(self, moments: Moments, X: Rows, codes: np.ndarray, k: int, penalty: float) -> Solution:
        """Weight (d, k) and bias (k,) for standardised rows."""
        raise NotImplementedError(self.name)

    def temperature_in_pieces(
        self, moments: Moments, rows: np.ndarray, codes: np.ndarray, solution: Solution, penalty: float
    ) -> float:
        """The temperature, from some of the rows (m, d) and their codes; by default that of a head fitted on these."""
        del moments, solution, penalty
        present, own = np.unique(codes, return_inverse=True)
        return self._temperature(rows, own, len(present)) if len(present) > 1 else 1.0

    def _learn_in_pieces(self, X: Rows, codes: np.ndarray, k: int) -> list[Step]:
        penalty = self._strength(self.penalty)
        moments = Moments.of(X, codes, class_weights(codes, k, self.class_weight))
        solution = self.solution_in_pieces(moments, X, codes, k, penalty)
        warmth = 1.0
        if not self.gives_logits:
            some = some_rows(len(X), self.seed)
            warmth = self.temperature_in_pieces(moments, X[some], codes[some], solution, penalty)
        return [on_features(moments.scale, *solution), Softmax(warmth)]
