"""Linear discriminant analysis with a shrunk covariance.

Our own closed form: scikit-learn's automatic shrinkage counts each feature in its own spread, which a rotation would
change, and takes minutes on wide features. For a fixed shrinkage both give the same head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from icecore.heads import specs
from icecore.heads.centroid import class_means
from icecore.heads.linear import LinearHead, Solution
from icecore.heads.weighting import class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

AUTO = 0.0  # stands for the shrinkage of Ledoit and Wolf, where a number is needed


def ledoit_wolf(residuals: np.ndarray, covariance: np.ndarray, width: int) -> float:
    """The shrinkage of Ledoit and Wolf (2004) for centred rows that were rotated from `width` features.

    Example:
        >>> from sklearn.covariance import ledoit_wolf_shrinkage
        >>> X = np.random.default_rng(0).normal(size=(20, 5))
        >>> bool(abs(ledoit_wolf(X, X.T @ X / 20, 5) - ledoit_wolf_shrinkage(X, assume_centered=True)) < 1e-12)
        True
    """
    n, squares = len(residuals), float(np.square(covariance).sum())
    fourth = float(np.square(np.square(residuals).sum(axis=1)).sum())
    distance = squares - float(np.trace(covariance)) ** 2 / width
    return min(1.0, (fourth / n - squares) / n / distance) if distance > 0 else 1.0


class LdaHead(LinearHead):
    """Linear discriminant analysis. `penalty` is the shrinkage of the covariance, above 0 and at most 1.

    Without one it is chosen by the formula of Ledoit and Wolf. With balanced classes each
    counts the same, in the priors and in the covariance.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(30, 4)).astype("float32"), np.repeat([0, 1, 2], 10)
        >>> LdaHead("shrinkage=0.5").fit(X, y, n_classes=3).predict_proba(X).shape
        (30, 3)
    """

    name = "lda"
    penalties = (0.9, 0.5, 0.2, None)
    default_penalty = AUTO
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"shrinkage": specs.share}
    penalty_option = "shrinkage"

    def solutions(
        self, Z: np.ndarray, codes: np.ndarray, k: int, penalties: Sequence[float], width: int
    ) -> Iterator[Solution]:
        """See `LinearHead.solutions`. One decomposition of the covariance serves every shrinkage."""
        means = class_means(Z, codes, k)
        weights = class_weights(codes, k, self.class_weight)
        residuals = np.sqrt(weights)[codes, None] * (Z - means[codes])
        covariance = residuals.T @ residuals / len(Z)
        values, vectors = np.linalg.eigh(covariance)
        prior = weights * np.bincount(codes, minlength=k) / len(codes)
        for penalty in penalties:
            shrinkage = ledoit_wolf(residuals, covariance, width) if penalty == AUTO else penalty
            shrunk = (1 - shrinkage) * np.maximum(values, 0) + shrinkage * values.sum() / width
            weight = vectors @ ((means @ vectors).T / _above_zero(shrunk)[:, None])
            yield weight, np.log(prior) - np.einsum("kd,dk->k", means, weight) / 2


def _above_zero(values: np.ndarray) -> np.ndarray:
    """Where no class varies at all there is nothing to divide by: any small number gives the same order of classes."""
    return np.asarray(np.maximum(values, max(1e-12 * float(values.max()), 1e-12)))
