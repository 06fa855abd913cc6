"""Features to choose on: classes that a line divides, noise, rings."""

from __future__ import annotations

import numpy as np


def blobs(n=120, k=3, *, distance=4.0, d=6, seed=0):
    """Classes that a straight line divides."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    X = rng.normal(size=(n, d)).astype(np.float32)
    X[np.arange(n), y] += distance
    return X, y


def noise(n=120, d=6, seed=1):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def rings(n=200, seed=0):
    """One class around the other: only a kernel or neighbours can tell them apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 3))
    X *= (1 + 2 * y[:, None]) / np.linalg.norm(X, axis=1, keepdims=True)
    return (X + 0.05 * rng.normal(size=X.shape)).astype(np.float32), y
