"""Linear support vector regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from icecore.heads import checks, specs
from icecore.heads.linear import on_features
from icecore.heads.moments import Moments
from icecore.heads.numbers import NamedRegressor, Unit
from icecore.heads.smooth import SquaredEpsilon, over_pieces, over_rows, path
from icecore.heads.split import Sides

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.named import Penalties
    from icecore.heads.rows import Rows
    from icecore.heads.steps import Step

EPSILON = 0.1  # of the spread of the numbers


class SvmRegressor(NamedRegressor):
    """Linear SVM regression with squared epsilon-insensitive loss. `penalty` is 1 / C.

    C counts on rows of mean squared length one (see `scaling`), epsilon in spreads of the numbers. The same model as
    scikit-learn's `LinearSVR(loss="squared_epsilon_insensitive")` with a free bias.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(50, 4)).astype("float32")
        >>> SvmRegressor("C=100").fit(X, 3 * X[:, 0] + 7).predict(np.float32([[1, 0, 0, 0]])).round(0).tolist()
        [10.0]
    """

    name = "svm"
    penalties = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"C": specs.positive, "epsilon": specs.positive}
    penalty_option = "C"

    def values(self, sides: Sides, y: np.ndarray, penalties: Penalties) -> np.ndarray:
        """See `NamedRegressor.values`. Each penalty starts from the answer for the last."""
        axes, held, loss = sides.axes, [self._strength(penalty) for penalty in penalties], self._loss
        solved = path(over_rows(axes.rows, y, loss), loss, axes.squares, len(y), held)
        return np.stack([(sides.along_axes @ weight + bias)[:, 0] for weight, bias in solved])

    def fit_in_pieces(self, X: Rows, y: np.ndarray) -> Self:
        """Fit as `fit` does on rows that are read piece by piece, a pass an evaluation. Raises HeadError like `fit`."""
        y = checks.numbers_of(y, X.shape)
        unit, moments, loss = Unit.of(y), Moments.of_numbers(X), self._loss
        squares, basis = moments.axes()
        evaluate = over_pieces(X, unit.to(y), loss, moments.scale, basis)
        weight, bias = next(path(evaluate, loss, squares, len(y), [self._strength(self.penalty)]))
        return self._become([on_features(moments.scale, basis @ weight, bias), unit.back], X.shape[1])

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        sides, loss = Sides(X), self._loss
        evaluate = over_rows(sides.axes.rows, y, loss)
        weight, bias = next(path(evaluate, loss, sides.axes.squares, len(y), [self._strength(self.penalty)]))
        return [on_features(sides.scale, sides.axes.basis @ weight, bias)]

    @property
    def _loss(self) -> SquaredEpsilon:
        return SquaredEpsilon(np.ones(1), float(self.settings.get("epsilon", EPSILON)))

    def _option_strength(self) -> float:
        return 1 / float(self.settings["C"])
