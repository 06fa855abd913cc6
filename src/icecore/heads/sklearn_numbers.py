"""The user's own scikit-learn regressor as a head, and such regressors as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR

from icecore.errors import HeadError
from icecore.heads.kernels import Kernel
from icecore.heads.neighbours import NeighbourMean
from icecore.heads.numbers import ChainRegressor
from icecore.heads.sklearn_steps import KERNELS, METRICS, transformer_steps
from icecore.heads.steps import Linear, Step

if TYPE_CHECKING:
    from typing import Self

    from icecore.heads.protocol import Arrays, Config

_PROBE = 64  # rows on which converted steps have to agree with the estimator


class Predicting(Step):
    """A fitted regressor that there are no arrays for. It predicts, and cannot be saved."""

    kind = "in-memory"

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, 1)."""
        return np.asarray(self.estimator.predict(X), dtype=np.float64).reshape(len(X), 1)

    def state(self) -> tuple[Config, Arrays]:
        """Raises HeadError."""
        raise HeadError(
            f"{type(self.estimator).__name__} cannot be saved without pickle: icecore has no arrays for it.",
            expected="Linear regressors, SVR and k-NN can be saved, also in a Pipeline with scalers and PCA.",
            do="Choose one of those or a head by its name; this one can be used in memory.",
        )


class SklearnRegressor(ChainRegressor):
    """A scikit-learn regressor, fitted on features and numbers as they are; their scaling is its own affair.

    Args:
        estimator: a regressor, or a Pipeline or search that ends in one; it stays unfitted.
        seed: given to every `random_state` that is None.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> X = np.eye(4, dtype="float32")
        >>> SklearnRegressor(LinearRegression()).fit(X, np.arange(4.0)).predict(X).round(4).tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    name = "sklearn"

    def __init__(self, estimator: Any, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.estimator = None if estimator is None else _prepared(estimator, seed)

    @property
    def stores_training_rows(self) -> bool:  # type: ignore[override]  # here it depends on what was fitted
        """Whether the fitted steps hold training rows."""
        return any(isinstance(step, Kernel | NeighbourMean) for step in getattr(self, "steps_", ()))

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """See `Regressor.fit`."""
        from icecore.heads import checks

        X, y = checks.numbers(X, y)
        return self._become(self._learn(X, y), X.shape[1])

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        if self.estimator is None:
            raise HeadError(
                "This head was restored from a saved scikit-learn estimator and can only predict.",
                do="To fit again, give the estimator again.",
            )
        try:
            fitted = clone(self.estimator).fit(X, y)
        except ValueError as error:
            raise HeadError(
                f"{type(self.estimator).__name__} could not be fitted on {len(X)} rows of {X.shape[1]} features: "
                f"{error}",
                do="See the documentation of that estimator.",
            ) from error
        return _saveable(fitted, X[:_PROBE]) or [Predicting(fitted)]


def _saveable(fitted: Any, probe: np.ndarray) -> list[Step] | None:
    """Converted steps, if they agree with the estimator on the probe rows."""
    steps = _to_steps(fitted)
    if steps is None:
        return None
    values = probe
    for step in steps:
        values = step(values)
    expected = Predicting(fitted)(probe)
    return steps if values.shape == expected.shape and np.allclose(values, expected, rtol=1e-4, atol=1e-5) else None


def _to_steps(fitted: Any) -> list[Step] | None:
    if isinstance(fitted, Pipeline):
        before, last = transformer_steps(fitted[:-1]), _to_steps(fitted[-1])
        return None if before is None or last is None else [*before, *last]
    if hasattr(fitted, "best_estimator_"):
        return _to_steps(fitted.best_estimator_)
    if type(fitted) is SVR and fitted.kernel in KERNELS:
        return _svr(fitted)
    if type(fitted) is KNeighborsRegressor:
        return _knn(fitted)
    return _linear(fitted) if hasattr(fitted, "coef_") and hasattr(fitted, "intercept_") else None


def _linear(fitted: Any) -> list[Step] | None:
    weight, bias = np.atleast_2d(np.asarray(fitted.coef_, dtype=np.float64)), np.atleast_1d(fitted.intercept_)
    return [Linear(weight.T, np.asarray(bias, dtype=np.float64))] if weight.shape[0] == 1 else None


def _svr(fitted: SVR) -> list[Step]:
    gamma = float(fitted._gamma)  # noqa: SLF001  # the number that "scale" or "auto" came to
    bias = np.asarray(fitted.intercept_, dtype=np.float64)
    weight = np.asarray(fitted.dual_coef_, dtype=np.float64).T
    return [Kernel(fitted.support_vectors_, weight, bias, gamma, fitted.kernel, fitted.degree, fitted.coef0)]


def _knn(fitted: KNeighborsRegressor) -> list[Step] | None:
    if fitted.effective_metric_ not in METRICS or callable(fitted.weights):
        return None
    rows, numbers = np.asarray(fitted._fit_X), np.asarray(fitted._y, np.float64)  # noqa: SLF001  # kept nowhere else
    p = fitted.effective_metric_params_.get("p", 2)
    return [NeighbourMean(rows, numbers, fitted.n_neighbors, fitted.weights or "uniform", fitted.effective_metric_, p)]


def _prepared(estimator: Any, seed: int) -> Any:
    """A clone with our seed."""
    if not is_regressor(estimator):
        raise HeadError(f"{type(estimator).__name__} is not a regressor.", expected="A head for numbers is one.")
    ours = {
        name: seed
        for name, value in estimator.get_params().items()
        if name.rsplit("__", maxsplit=1)[-1] == "random_state" and value is None
    }
    return clone(estimator).set_params(**ours)
