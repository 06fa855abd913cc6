"""The user's own scikit-learn classifier as a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import clone, is_classifier

from icecore.errors import HeadError
from icecore.heads.chain import ChainHead
from icecore.heads.inner_folds import inner_folds
from icecore.heads.kernels import Kernel
from icecore.heads.neighbours import Neighbours
from icecore.heads.out_of_fold import out_of_fold
from icecore.heads.sklearn_steps import to_steps
from icecore.heads.split import Split
from icecore.heads.steps import Softmax, Step
from icecore.heads.temperature import temperature

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config
    from icecore.heads.weighting import ClassWeight

_PROBE = 64  # rows on which converted steps have to agree with the estimator


@dataclass(frozen=True, eq=False)
class InMemory(Step):
    """A fitted estimator that there are no arrays for. It predicts, and cannot be saved."""

    kind: ClassVar[str] = "in-memory"
    estimator: Any
    method: str

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k)."""
        values = np.asarray(getattr(self.estimator, self.method)(X), dtype=np.float64)
        return values if values.ndim == 2 else np.stack([-values, values], axis=1) / 2

    def state(self) -> tuple[Config, Arrays]:
        """Raises HeadError."""
        raise HeadError(
            f"{_title(self.estimator)} cannot be saved without pickle: icecore has no arrays for it.",
            expected="Linear classifiers, SVC, k-NN, LDA and nearest centroids can be saved, also in a Pipeline with "
            "scalers, Normalizer and PCA.",
            do="Choose one of those or a head by its name; this one can be used in memory.",
        )


class SklearnHead(ChainHead):
    """A scikit-learn classifier, fitted on features as they are; its scaling is its own affair (give a Pipeline).

    Its probabilities are its own `predict_proba` where it has one, else a softmax over `decision_function` with a
    temperature fitted out of fold. `SVC` always goes the second way. The estimator given stays unfitted.

    Args:
        estimator: a classifier, or a Pipeline or search that ends in one.
        class_weight: `balanced` is handed to the estimator; HeadError where it has no such parameter.
        seed: given to every `random_state` that is None.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> SklearnHead(LogisticRegression()).fit(X, y, n_classes=2).predict_proba(X).shape
        (4, 2)
    """

    name = "sklearn"

    def __init__(self, estimator: Any, *, class_weight: ClassWeight = None, seed: int = 0) -> None:
        super().__init__(class_weight=class_weight, seed=seed)
        self.estimator = None if estimator is None else _prepared(estimator, class_weight, seed)

    @property
    def stores_training_rows(self) -> bool:  # type: ignore[override]  # here it depends on what was fitted
        """Whether the fitted steps hold training rows."""
        return any(isinstance(step, Kernel | Neighbours) for step in getattr(self, "steps_", ()))

    def _learn(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        if self.estimator is None:
            raise HeadError(
                "This head was restored from a saved scikit-learn estimator and can only predict.",
                do="To fit again, give the estimator again.",
            )
        fitted = self._fit_estimator(X, codes)
        steps = self._saveable(fitted, X[:_PROBE]) or [InMemory(fitted, _method(fitted))]
        if _is_probability(steps):
            return steps
        return [*steps, Softmax(self._temperature(X, codes, k))]

    def _fit_estimator(self, X: np.ndarray, codes: np.ndarray) -> Any:
        try:
            return clone(self.estimator).fit(X, codes)
        except ValueError as error:
            raise HeadError(
                f"{_title(self.estimator)} could not be fitted on {len(X)} rows of {X.shape[1]} features: {error}",
                do="See the documentation of that estimator.",
            ) from error

    def _saveable(self, fitted: Any, probe: np.ndarray) -> list[Step] | None:
        """Converted steps, if they agree with the estimator on the probe rows."""
        steps = to_steps(fitted)
        if steps is None:
            return None
        values = probe
        for step in steps:
            values = step(values)
        expected = InMemory(fitted, "predict_proba" if _is_probability(steps) else "decision_function")(probe)
        return steps if values.shape == expected.shape and np.allclose(values, expected, rtol=1e-4, atol=1e-5) else None

    def _temperature(self, X: np.ndarray, codes: np.ndarray, k: int) -> float:
        def decide(split: Split) -> np.ndarray:
            return InMemory(self._fit_estimator(split.X, split.codes), "decision_function")(split.X_test)[None]

        return temperature(out_of_fold(decide, X, codes, inner_folds(X, codes, self.seed), n_classes=k)[0], codes)


def _method(fitted: Any) -> str:
    for method in ("predict_proba", "decision_function"):
        if hasattr(fitted, method):
            return method
    raise HeadError(
        f"{_title(fitted)} has neither predict_proba nor decision_function.",
        expected="A head gives probabilities.",
        do="Wrap it in sklearn.calibration.CalibratedClassifierCV.",
    )


def _is_probability(steps: list[Step]) -> bool:
    last = steps[-1]
    return isinstance(last, Softmax | Neighbours) or (isinstance(last, InMemory) and last.method == "predict_proba")


def _prepared(estimator: Any, class_weight: ClassWeight, seed: int) -> Any:
    """A clone with our seed, class weight, and a decision value for each class."""
    if not is_classifier(estimator):
        raise HeadError(f"{_title(estimator)} is not a classifier.", expected="A head for classes is one.")
    parameters = estimator.get_params()
    ours = {name: seed for name, value in parameters.items() if _ends(name, "random_state") and value is None}
    ours |= {name: "ovr" for name in parameters if _ends(name, "decision_function_shape")}
    if class_weight is not None:
        ours |= _weights(estimator, class_weight)
    return clone(estimator).set_params(**ours)


def _weights(estimator: Any, class_weight: str) -> dict[str, Any]:
    found = {name: value for name, value in estimator.get_params().items() if _ends(name, "class_weight")}
    if not found:
        raise HeadError(
            f"{_title(estimator)} has no parameter class_weight.",
            expected=f"class_weight={class_weight!r} needs one.",
            do="Leave class_weight out, or choose an estimator that has it.",
        )
    return {name: class_weight for name, value in found.items() if value is None}


def _ends(name: str, parameter: str) -> bool:
    return name.rsplit("__", maxsplit=1)[-1] == parameter


def _title(estimator: Any) -> str:
    return type(estimator).__name__
