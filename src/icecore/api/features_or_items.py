"""What came to an estimator: features already made, or inputs that features are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icecore.data import Sound


def holds_items(X: Any) -> bool:
    """Whether X holds inputs (paths, images, a table with a path column) rather than a 2-D table of numbers.

    Example:
        >>> holds_items(["a.jpg", "b.jpg"]), holds_items([[0.5, 1.5], [2.5, 3.5]])
        (True, False)
    """
    if isinstance(X, str) or hasattr(X, "__fspath__"):
        return True
    if isinstance(X, np.ndarray):
        return X.ndim >= 3 or (_one_column(X) and _is_item(X.ravel()[:1]))
    if hasattr(X, "columns"):  # a data frame, of whichever library
        return np.asarray(X[:1]).dtype.kind not in "biuf"
    if hasattr(X, "to_list"):  # a series
        return _is_item(X[:1].to_list())
    return isinstance(X, Sequence) and _is_item(X[:1])


def _one_column(X: np.ndarray) -> bool:
    return X.dtype.kind in "OUS" and (X.ndim == 1 or (X.ndim == 2 and X.shape[1] == 1))


def _is_item(first: Sequence[Any] | np.ndarray) -> bool:
    if len(first) == 0:
        return False
    one = first[0][0] if isinstance(first[0], tuple) and first[0] else first[0]  # of a pair the image
    return isinstance(one, str | bytes) or hasattr(one, "__fspath__") or _is_image(one) or _is_sound(first[0])


def _is_image(value: Any) -> bool:
    return hasattr(value, "convert") or (hasattr(value, "__array__") and np.ndim(value) >= 2)


def _is_sound(value: Any) -> bool:
    """A decoded one, a record of a data set, or samples with their rate."""
    pair = isinstance(value, tuple) and len(value) == 2 and np.ndim(value[0]) >= 1
    return pair or isinstance(value, Sound | Mapping)
