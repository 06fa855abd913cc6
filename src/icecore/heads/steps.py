"""Steps: the pure functions on arrays that a fitted head is made of.

A kind is named once and for ever: `linear.v1` never changes its meaning, so an old artifact still says what it did.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config


@dataclass(frozen=True, eq=False)
class Step:
    """One function of rows. Fields that are arrays are saved as arrays, the others as JSON."""

    kind: ClassVar[str]

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Rows (n, ...) to rows (n, ...)."""
        raise NotImplementedError(type(self).__name__)

    def state(self) -> tuple[Config, Arrays]:
        """The kind and the plain fields, and the arrays."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: np.ascontiguousarray(v) for name, v in values.items() if isinstance(v, np.ndarray)}
        return {"kind": self.kind} | {name: v for name, v in values.items() if name not in arrays}, arrays

    @classmethod
    def restored(cls, config: Config, arrays: Arrays) -> Self:
        """The step that `state` described."""
        plain: dict[str, Any] = {name: value for name, value in config.items() if name != "kind"}
        return cls(**plain, **arrays)


@dataclass(frozen=True, eq=False)
class Standardise(Step):
    """(x - mean) * factor, each feature on its own. A factor of 0 drops a feature that never varied."""

    kind: ClassVar[str] = "standardise.v1"
    mean: np.ndarray
    factor: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, d), float64."""
        centred: np.ndarray = X - self.mean
        centred *= self.factor
        return centred


@dataclass(frozen=True, eq=False)
class Normalise(Step):
    """Every row to length one (`norm` l2), sum of sizes one (l1) or largest size one (max); a row of zeros stays."""

    kind: ClassVar[str] = "normalise.v1"
    norm: str = "l2"

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, d)."""
        order = {"l1": 1, "l2": 2, "max": np.inf}[self.norm]
        length = np.linalg.norm(X, ord=order, axis=1, keepdims=True)
        return np.asarray(X / np.where(length > 0, length, 1.0))


@dataclass(frozen=True, eq=False)
class Linear(Step):
    """x @ weight + bias."""

    kind: ClassVar[str] = "linear.v1"
    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k), float64."""
        return np.asarray(X.astype(np.float64, copy=False) @ self.weight + self.bias)


@dataclass(frozen=True, eq=False)
class Softmax(Step):
    """exp(z / temperature), scaled to sum to one (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""

    kind: ClassVar[str] = "softmax.v1"
    temperature: float = 1.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, k) to (n, k)."""
        z = X / self.temperature
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(z / z.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Sigmoid(Step):
    """1 / (1 + exp(-z / temperature)), each column by itself."""

    kind: ClassVar[str] = "sigmoid.v1"
    temperature: np.ndarray  # (q,)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, q) to (n, q)."""
        return np.asarray(0.5 * (1 + np.tanh(X / self.temperature / 2)))


@dataclass(frozen=True, eq=False)
class Constant(Step):
    """One column of ones: there was only one class to learn."""

    kind: ClassVar[str] = "constant.v1"

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, 1)."""
        return np.ones((len(X), 1))


@dataclass(frozen=True, eq=False)
class Columns(Step):
    """Probabilities of the classes that were there go to their columns; a class never seen has probability 0."""

    kind: ClassVar[str] = "columns.v1"
    present: np.ndarray
    n_classes: int

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, present) to (n, n_classes)."""
        out = np.zeros((len(X), self.n_classes))
        out[:, self.present] = X
        return out


@dataclass(frozen=True, eq=False)
class LayerSum(Step):
    """Layers of one width side by side -> their weighted sum."""

    kind: ClassVar[str] = "layer-sum.v1"
    weights: np.ndarray  # (layers,)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, layers * d) to (n, d)."""
        return np.asarray(np.tensordot(X.reshape(len(X), len(self.weights), -1), self.weights, (1, 0)))


@dataclass(frozen=True, eq=False)
class Take(Step):
    """Some of the features."""

    kind: ClassVar[str] = "take.v1"
    index: np.ndarray  # (m,)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, m)."""
        return np.asarray(X[:, self.index])


@dataclass(frozen=True, eq=False)
class Budget(Step):
    """Means of neighbouring features: those from each start to the next one, the last to the end."""

    kind: ClassVar[str] = "budget.v1"
    starts: np.ndarray  # (m,)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, m), float64."""
        sizes = np.diff(self.starts, append=X.shape[1])
        return np.asarray(np.add.reduceat(X, self.starts, axis=1, dtype=np.float64) / sizes)
