"""What logistic regression and the linear SVM share: a smooth loss, minimised by L-BFGS along the principal axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icecore.heads.linear import Solution
from icecore.heads.piecewise import PiecewiseHead
from icecore.heads.smooth import Loss, over_pieces, over_rows, path
from icecore.heads.weighting import class_weights

if TYPE_CHECKING:
    from icecore.heads.axes import Axes
    from icecore.heads.moments import Moments
    from icecore.heads.rows import Rows


class SmoothHead(PiecewiseHead):
    """A linear head with a smooth loss."""

    loss: ClassVar[type[Loss]]

    def solutions(self, axes: Axes, codes: np.ndarray, k: int, penalties: Sequence[float]) -> Iterator[Solution]:
        """See `LinearHead.solutions`. Each penalty starts from the answer for the last."""
        loss = self._loss(codes, k)
        held = [self.held(penalty, k) for penalty in penalties]
        return path(over_rows(axes.rows, codes, loss), loss, axes.squares, len(codes), held)

    def solution_in_pieces(self, moments: Moments, X: Rows, codes: np.ndarray, k: int, penalty: float) -> Solution:
        """See `PiecewiseHead.solution_in_pieces`: L-BFGS, with one pass over the rows an evaluation."""
        loss, (squares, basis) = self._loss(codes, k), moments.axes()
        evaluate = over_pieces(X, codes, loss, moments.scale, basis)
        weight, bias = next(path(evaluate, loss, squares, len(codes), [self.held(penalty, k)]))
        return basis @ weight, bias

    def held(self, penalty: float, k: int) -> float:
        """How strongly a weight matrix of k columns is held for a penalty."""
        del k
        return penalty

    def _loss(self, codes: np.ndarray, k: int) -> Loss:
        return self.loss(class_weights(codes, k, self.class_weight))
