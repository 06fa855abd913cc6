"""Linear discriminant analysis with a shrunk covariance.

Our own closed form: scikit-learn's automatic shrinkage counts each feature in its own spread, which a rotation would
change, and takes minutes on wide features. For a fixed shrinkage both give the same head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from icecore.heads import specs
from icecore.heads.centroid import class_means
from icecore.heads.linear import LinearHead, Solution
from icecore.heads.weighting import class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.axes import Axes

_LEAST = 1e-12  # where no class varies there is nothing to divide by, and any small number gives the same order
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

    def solutions(self, axes: Axes, codes: np.ndarray, k: int, penalties: Sequence[float]) -> Iterator[Solution]:
        """See `LinearHead.solutions`. One covariance serves every shrinkage."""
        Z, width = axes.rows, axes.width
        means = class_means(Z, codes, k)
        weights = class_weights(codes, k, self.class_weight)
        residuals = np.sqrt(weights)[codes, None] * (Z - means[codes])
        covariance = residuals.T @ residuals / len(Z)
        trace = float(np.trace(covariance))
        prior = weights * np.bincount(codes, minlength=k) / len(codes)
        for penalty in penalties:
            shrinkage = ledoit_wolf(residuals, covariance, width) if penalty == AUTO else penalty
            shrunk = (1 - shrinkage) * covariance
            shrunk[np.diag_indices_from(shrunk)] += max(shrinkage * trace / width, _LEAST * max(trace, 1.0))
            weight = cho_solve(cho_factor(shrunk), means.T)
            yield weight, np.log(prior) - np.einsum("kd,dk->k", means, weight) / 2
