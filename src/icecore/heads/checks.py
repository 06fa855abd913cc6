"""What comes into a head is checked once, here."""

from __future__ import annotations

import numpy as np

from icecore.errors import HeadError


def features(X: np.ndarray, n_features: int | None = None) -> np.ndarray:
    """X (n, d) as a floating array. Raises HeadError for another shape, another width, NaN or infinity."""
    X = np.asarray(X)
    if X.ndim != 2:
        raise HeadError(f"The features have shape {X.shape}.", expected="A head takes rows of features, (n, d).")
    if n_features is not None and X.shape[1] != n_features:
        raise HeadError(f"A row has {X.shape[1]} features.", expected=f"This head was fitted on {n_features}.")
    X = X if np.issubdtype(X.dtype, np.floating) else X.astype(np.float64)
    if not np.isfinite(X).all():
        bad = int((~np.isfinite(X)).any(1).sum())
        raise HeadError(
            f"{bad} of {len(X)} rows of features hold NaN or infinity.",
            expected="Features are finite numbers.",
            do="Look at the inputs of those rows, or extract in float32.",
        )
    return X


def training(X: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and class codes that belong together. Raises HeadError where they do not."""
    X = features(X)
    return X, codes(y, X.shape, n_classes)


def numbers(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and numbers that belong together. Raises HeadError where they do not."""
    X = features(X)
    return X, numbers_of(y, X.shape)


def numbers_of(y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers (n,), float64, of features of this shape, (n, d). Raises HeadError where they do not belong together."""
    y = np.asarray(y)
    if y.shape != shape[:1] or not len(y) or not shape[1]:
        raise HeadError(
            f"There are features of shape {shape} and numbers of shape {y.shape}.",
            expected="At least one row and one feature, and one number a row.",
        )
    if y.dtype.kind not in "iuf" or not np.isfinite(y).all():
        raise HeadError(f"The numbers to predict are {y.dtype}.", expected="Finite numbers.")
    return y.astype(np.float64)


def codes(y: np.ndarray, shape: tuple[int, ...], n_classes: int) -> np.ndarray:
    """Class codes (n,) of features of this shape, (n, d). Raises HeadError where they do not belong together."""
    y = np.asarray(y)
    if y.shape != shape[:1] or not len(y) or not shape[1]:
        raise HeadError(
            f"There are features of shape {shape} and class codes of shape {y.shape}.",
            expected="At least one row and one feature, and one code a row.",
        )
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= n_classes:
        raise HeadError(
            f"The class codes are {y.dtype}, from {y.min()} to {y.max()}.",
            expected=f"Integers from 0 to {n_classes - 1}.",
        )
    return y.astype(np.int64)
