"""How far values of one prefix may differ between engines, libraries and machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-3}
_SAID = {"float32": "of the largest value in a row", "bfloat16": "of a row in cosine"}


def apart(here: Iterable[np.ndarray], there: Iterable[np.ndarray], precision: str) -> float:
    """How far rows are apart at worst; infinite where shapes differ.

    In float32 the largest difference as a share of the largest value in the row, in bfloat16 one minus the cosine.

    Example:
        >>> apart([np.array([1.0, 2.0])], [np.array([1.0, 2.1])], "float32").__round__(3)
        0.048
    """
    measure = _relative if precision == "float32" else _angular
    return max((_or_infinite(measure, a, b) for a, b in zip(here, there, strict=True)), default=0.0)


def said(worst: float, precision: str) -> str:
    """A difference in words.

    Example:
        >>> said(0.02, "float32")
        '0.02 of the largest value in a row, where 0.0001 is allowed'
    """
    if worst == float("inf"):
        return "their shape, or values that are not finite"
    return f"{worst:.2g} {_SAID[precision]}, where {TOLERANCES[precision]:g} is allowed"


def _or_infinite(measure: Callable[[np.ndarray, np.ndarray], float], a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return measure(a.astype(np.float64).ravel(), b.astype(np.float64).ravel())


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    largest = max(float(np.abs(b).max(initial=0)), float(np.finfo(np.float32).tiny))
    return float(np.abs(a - b).max(initial=0)) / largest


def _angular(a: np.ndarray, b: np.ndarray) -> float:
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return 1 - float(a @ b) / scale if scale else float(np.linalg.norm(a - b) > 0)
