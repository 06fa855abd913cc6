"""A map of the features: every item as a point, similar ones near each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_COMPONENTS = 50
_LEAST_FOR_NEIGHBOURS = 30
MOST = 4000


@dataclass(frozen=True)
class FeatureMap:
    """Places of items on a plane.

    Attributes:
        rows: places of the items in the evidence, (m,).
        xy: (m, 2), from 0 to 1, the longer side full.
        method: in words.
    """

    rows: np.ndarray
    xy: np.ndarray
    method: str


def feature_map(features: np.ndarray, rows: np.ndarray, *, seed: int = 0) -> FeatureMap:
    """Items on a plane by t-SNE (van der Maaten and Hinton 2008) after PCA, or by PCA alone where there are few.

    Args:
        features: (n, d).
        rows: which of them to place, (m,).
        seed: of the layout.
    """
    from sklearn.decomposition import PCA

    X = _evened(features[rows])
    dimensions = min(_COMPONENTS, *X.shape)
    flat = PCA(dimensions, svd_solver="randomized", random_state=seed).fit_transform(X)
    if len(rows) < _LEAST_FOR_NEIGHBOURS:
        return FeatureMap(rows, _fitted(flat[:, :2] if dimensions > 1 else np.c_[flat, flat * 0]), "PCA")
    return FeatureMap(rows, _fitted(_neighbours(flat, seed)), f"PCA to {dimensions} dimensions, then t-SNE")


def _neighbours(X: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = float(min(30, max(5, len(X) // 8)))
    start = X[:, :2] / X[:, 0].std() * 1e-4
    layout = TSNE(2, perplexity=perplexity, init=start, max_iter=600, random_state=seed, n_jobs=1)
    return np.asarray(layout.fit_transform(X.astype(np.float32)))


def _evened(X: np.ndarray) -> np.ndarray:
    """Every feature with the same spread, so that no layer drowns the others."""
    spread = X.std(0)
    return np.asarray((X - X.mean(0)) / np.where(spread > 0, spread, 1), np.float32)


def _fitted(xy: np.ndarray) -> np.ndarray:
    low, high = xy.min(0), xy.max(0)
    return np.asarray((xy - low) / max(float((high - low).max()), 1e-12))
