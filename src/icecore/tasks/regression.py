"""A number a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import heads
from icecore.errors import DataError
from icecore.evaluation import number_metrics
from icecore.heads import parts_by_size
from icecore.tasks.base import AnyHead, ClassWeight, Metrics, Task, Tries

if TYPE_CHECKING:
    from icecore.evaluation import Fold
    from icecore.heads import Rows


@dataclass(frozen=True)
class Regression(Task):
    """Numbers (n,), float64; a head says one number a row.

    Example:
        >>> Regression().encode(["1.5", "2"], "weight").tolist()
        [1.5, 2.0]
    """

    name = "regression"
    score_name = "R2"
    floor_name = "mean_value"
    auto = ("ridge", "svm", "knn", "svm-rbf")
    fallback = "ridge"

    @staticmethod
    def of(name: str, values: Sequence[Any]) -> Regression:
        """Raises DataError where the values are no finite numbers, or all the same one."""
        y = Regression().encode(values, name)
        if len(set(y.tolist())) < 2:
            came = f"the only value is {y[0]:g}" if len(y) else "there are no labelled items"
            raise DataError(f"The target {name!r} cannot be learned: {came}.", expected="At least two numbers.")
        return Regression()

    @property
    def described(self) -> str:
        """See `Task.described`."""
        return "a number"

    @property
    def width(self) -> int:
        """See `Task.width`."""
        return 1

    def encode(self, values: Sequence[Any], name: str) -> np.ndarray:
        """See `Task.encode`. Raises DataError for what is no finite number."""
        y = np.array([_number(value) for value in values], np.float64)
        bad = np.flatnonzero(~np.isfinite(y))
        if len(bad):
            raise DataError(
                f"The target {name!r} is to be predicted as a number, and holds {values[int(bad[0])]!r}.",
                expected="Finite numbers, such as 3 or 0.25.",
                do="Mend these values, leave them empty (such rows are set aside), or use --task classification.",
            )
        return y

    def strata(self, y: np.ndarray) -> np.ndarray:
        """See `Task.strata`: ten parts, the smallest numbers first."""
        return parts_by_size(np.asarray(y))

    def make(self, spec: Any, *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0) -> Any:
        """See `Task.make`. Numbers know no classes to balance."""
        del class_weight
        return heads.make_regressor(spec, penalty=penalty, seed=seed)

    def penalties(self, spec: Any) -> tuple[float | None, ...]:
        """See `Task.penalties`."""
        return heads.regressor_penalties(spec)

    def sweep(
        self, tries: Tries, X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], *, class_weight: ClassWeight, seed: int
    ) -> list[np.ndarray]:
        """See `Task.sweep`: (penalties, n)."""
        del class_weight
        return heads.sweep_numbers(tries, X, y, folds, seed=seed)

    def gains(self, y: np.ndarray, values: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
        """See `Task.gains`: one minus the squared error in units of the variance, whose mean is R2."""
        del class_weight
        variance = float(np.var(y))
        return np.asarray(1 - np.square(values - y) / (variance if variance > 0 else 1.0))

    def screened(
        self, left_out: Callable[[np.ndarray], np.ndarray], y: np.ndarray, class_weight: ClassWeight
    ) -> np.ndarray:
        """See `Task.screened`."""
        unit = (y - y.mean()) / (y.std() or 1.0)
        return np.asarray(self.gains(unit, left_out(unit[:, None])[:, 0][None], class_weight)[0])

    def achieved(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """See `Task.achieved`."""
        return np.asarray(self.gains(y, said[:, 0][None], None)[0])

    def loss(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """See `Task.loss`: the squared error in units of the variance."""
        return np.asarray(np.square(said[..., 0] - y) / (float(np.var(y)) or 1.0))

    def to_average(self, said: np.ndarray) -> np.ndarray:
        """See `Task.to_average`: numbers as they are."""
        return said

    def from_average(self, values: np.ndarray) -> np.ndarray:
        """See `Task.from_average`."""
        return values

    def fit(self, head: Any, X: np.ndarray, y: np.ndarray) -> AnyHead:
        """See `Task.fit`."""
        fitted: AnyHead = head.fit(X, y)
        return fitted

    def fit_in_pieces(self, head: Any, X: Rows, y: np.ndarray) -> AnyHead | None:
        """See `Task.fit_in_pieces`."""
        return head.fit_in_pieces(X, y) if hasattr(head, "fit_in_pieces") else None

    def says(self, head: Any, X: np.ndarray) -> np.ndarray:
        """See `Task.says`: (n, 1)."""
        return np.asarray(head.predict(X))[:, None]

    def restore(self, config: dict[str, Any], arrays: dict[str, np.ndarray]) -> AnyHead:
        """See `Task.restore`."""
        return heads.restore_regressor(config, arrays)

    def floor(self, y: np.ndarray) -> np.ndarray:
        """See `Task.floor`: the mean."""
        return np.array([y.mean()])

    def metrics(
        self,
        y: np.ndarray,
        said: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        seed: int = 0,
    ) -> Metrics:
        """See `icecore.evaluation.number_metrics`."""
        del seed
        return number_metrics(y, said[:, 0], weights=weights, groups=groups)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
