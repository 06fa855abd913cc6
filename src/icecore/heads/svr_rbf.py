"""Support vector regression with a Gaussian kernel, by scikit-learn's libsvm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import sklearn
from sklearn.svm import SVR

from icecore.heads import specs
from icecore.heads.kernels import Kernel
from icecore.heads.numbers import NamedRegressor
from icecore.heads.split import Sides
from icecore.heads.svr import EPSILON

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.named import Penalties
    from icecore.heads.steps import Step

_CACHE_MB = 500


class SvmRbfRegressor(NamedRegressor):
    """RBF SVM regression. `penalty` is 1 / C; gamma counts on rows of mean squared length one: 1 is "scale".

    Example:
        >>> X = np.linspace(-2, 2, 60, dtype="float32")[:, None]
        >>> found = SvmRbfRegressor("C=10").fit(X, np.sin(2 * X[:, 0])).predict(np.float32([[0.5]]))
        >>> bool(abs(found[0] - np.sin(1)) < 0.1)
        True
    """

    name = "svm-rbf"
    stores_training_rows = True
    penalties = (3.0, 1.0, 0.3, 0.1, 0.03)
    default_penalty = 0.3
    known_options: ClassVar[Mapping[str, specs.Converter]] = {
        "C": specs.positive,
        "gamma": specs.positive,
        "epsilon": specs.positive,
    }
    penalty_option = "C"

    def values(self, sides: Sides, y: np.ndarray, penalties: Penalties) -> np.ndarray:
        """See `NamedRegressor.values`. One Gram matrix serves every penalty."""
        gram, similarity = sides.kernels(self._gamma)
        solved = (self._dual(gram, y, self._strength(penalty)) for penalty in penalties)
        return np.stack([similarity @ weight + bias for weight, bias in solved])

    @property
    def _gamma(self) -> float:
        return float(self.settings.get("gamma", 1.0))

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        sides = Sides(X)
        weight, bias = self._dual(sides.kernels(self._gamma)[0], y, self._strength(self.penalty))
        support = np.flatnonzero(weight)
        rows = sides.Z[support].astype(np.float32)
        return [sides.scale, Kernel(rows, weight[support, None], np.array([bias]), self._gamma)]

    def _dual(self, gram: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
        """Weights of all rows (n,) and the bias."""
        epsilon = float(self.settings.get("epsilon", EPSILON))
        model = SVR(C=1 / penalty, epsilon=epsilon, kernel="precomputed", cache_size=_CACHE_MB)
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            model.fit(gram, y)
        weight = np.zeros(len(y))
        weight[model.support_] = model.dual_coef_[0]
        return weight, float(model.intercept_[0])

    def _option_strength(self) -> float:
        return 1 / float(self.settings["C"])
