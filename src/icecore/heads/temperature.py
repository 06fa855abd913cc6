"""One temperature turns decision values into probabilities (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

_HALVINGS = 50


def temperature(decisions: np.ndarray, codes: np.ndarray) -> float:
    """The temperature under which out-of-fold decision values (n, k) are most likely, given the classes (n,).

    Rows without a value (NaN) are left out; 1.0 where none is left. As in Platt (1999) the targets are drawn a little
    towards uniform, by one in n + 2, so that the temperature stays above zero when every row is right.
    """
    rows = np.isfinite(decisions[np.arange(len(codes)), codes])
    z, codes = decisions[rows], codes[rows]
    finite = np.isfinite(z)
    scale = float(z[finite].std()) if len(z) else 0.0
    if scale == 0:
        return 1.0
    z = np.where(finite, z / scale, -np.inf)
    return scale / _inverse_temperature(z, _smoothed_target(z, codes))


def _smoothed_target(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The decision value (n,) that each row should have in expectation."""
    doubt = 1 / (len(z) + 2)
    mean = np.where(np.isfinite(z), z, 0).sum(1) / np.isfinite(z).sum(1)
    return np.asarray((1 - doubt) * z[np.arange(len(z)), codes] + doubt * mean)


def _inverse_temperature(z: np.ndarray, target: np.ndarray) -> float:
    """Where the slope of the log loss is zero, found by halving: it rises with the inverse temperature (convexity)."""
    low, high = np.log(1e-3), np.log(1e4)
    values = np.where(np.isfinite(z), z, 0)
    z = z - z.max(1, keepdims=True)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        p = np.exp(np.exp(middle) * z)
        slope = float(((p * values).sum(1) / p.sum(1) - target).sum())
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp((low + high) / 2))
