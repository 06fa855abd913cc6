"""Steps that calibrate probabilities: a head that is too sure, or not sure enough, of what it ranks well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icecore.heads.steps import Step

TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Tempered(Step):
    """Probabilities to the power 1 / temperature, scaled to sum to one (Guo et al. 2017)."""

    kind: ClassVar[str] = "tempered.v1"
    temperature: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, k) to (n, k)."""
        z = np.log(np.maximum(X, TINY)) / self.temperature
        z = np.exp(z - z.max(axis=1, keepdims=True)) * (X > 0)
        return np.asarray(z / z.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Isotonic(Step):
    """A rising curve for each class, then scaled to sum to one (Zadrozny and Elkan 2002).

    Curve c joins the points (x, y) from `starts[c]` to `starts[c + 1]`. `doubt` is the share that is spread over all
    classes, so that none is ever called impossible.
    """

    kind: ClassVar[str] = "isotonic.v1"
    x: np.ndarray  # (m,)
    y: np.ndarray  # (m,)
    starts: np.ndarray  # (k + 1,)
    doubt: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, k) to (n, k)."""
        parts = [slice(a, b) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]
        curves = [np.interp(X[:, c], self.x[part], self.y[part]) for c, part in enumerate(parts)]
        raised = np.stack(curves, axis=1) + self.doubt / len(parts)
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
