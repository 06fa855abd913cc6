"""How unlike the training data an input is, in features.

A Gaussian a class with one covariance for all (Lee et al. 2018, "A simple unified framework for detecting
out-of-distribution samples"), in the leading directions of the standardised features, and one variance in all others,
as in probabilistic principal components (Tipping and Bishop 1999). An input's score is its distance to the nearest
class, less what speaks for the likeliest class (its logit by linear discriminants), weighed so that both count alike on
average, after Wang et al. 2022, "ViM: out-of-distribution with virtual-logit matching". What a score means is told by
the scores of training items that the Gaussians were made without: the share of them that score as high is a p-value.

Chosen on TrashNet and banking77 among this, its parts, nearest neighbours, relative distances, and what a logistic head
says, by the area under the curve for a class that was left out: 0.72 and 0.88 (the distance alone 0.63 and 0.81, the
best of all 0.77 and 0.88, no one of them on both). On others: TrashNet under
MobileNetV2 0.72 to 0.75 (the distance alone 0.67), CIFAR-10 0.65 (0.53), Fashion-MNIST 0.65 to 0.73 (0.58 to 0.77),
ESC-10 0.88 (0.89), banking77 under MiniLM 0.91 (0.90). Pictures of another data set: 0.97 or more. No training row is
kept for it. These are without a bound on the logits. Logits beyond the mean of training rows count as that mean, for a
linear score grows without end on the side of a class. That costs up to 0.04 in `benchmarks/planted.py`: TrashNet 0.69
(0.72 without), CIFAR-10 0.60 (0.64), banking77 0.67 (0.70), ESC-10 0.85 (0.84), TrashNet under MobileNetV2 0.76 (0.75).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils.extmath import randomized_svd

from icecore.errors import DataError
from icecore.evaluation.folds import folds

Arrays: TypeAlias = dict[str, np.ndarray]

UNLIKE = 0.01  # of training items one in a hundred is called unlike the others
_DIRECTIONS = 64
_ROWS_A_DIRECTION = 8  # fewer would make the covariance a guess
_FOLDS = 5
_MOST_ROWS = 5000
_KEPT = 1000  # quantiles of the scores of training items
_LEAST_ROWS = 20
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Gaussians of the classes.

    Attributes:
        mean: of the features (d,).
        factor: to their scale (d,); 0 for a feature that never varies.
        axes: leading directions (d, r).
        whitening: (r, r), from these directions to ones in which a class has variance one.
        centres: of the classes, whitened (k, r).
        noise: variance in every other direction.
        weight: of the squared distance, against logits of the likeliest class; 0 to go by the distance alone.
        ceiling: above which logits speak for nothing more, the mean of training rows: what lies far out on the side of
            a class is not more typical of it.
    """

    mean: np.ndarray
    factor: np.ndarray
    axes: np.ndarray
    whitening: np.ndarray
    centres: np.ndarray
    noise: float
    weight: float = 0.0
    ceiling: float = math.inf

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Of rows (n, d), (n,): how unlike the training rows they are. Only to be compared with each other."""
        squares, logits = self._measured(X)
        if not self.weight:
            return self._rooted(squares)
        return np.asarray(self.weight * squares - np.minimum(logits, self.ceiling))

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Of rows (n, d), (n,): the root of the mean squared distance to the nearest class. Typical ones are near 1."""
        return self._rooted(self._measured(X)[0])

    def weighed(self, X: np.ndarray) -> Gaussians:
        """The same with the weight by which distances and logits of these rows count alike; without where no class
        stands out.
        """
        squares, logits = self._measured(X)
        several = len(self.centres) > 1 and squares.mean() > 0
        weight = max(float(logits.mean() / squares.mean()), 0.0) if several else 0.0
        return replace(self, weight=weight, ceiling=float(logits.mean()))

    def _rooted(self, squares: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(squares / max(np.count_nonzero(self.factor), 1)))

    def _measured(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of rows, (n,): the squared distance to the nearest class, and the logit of the likeliest one."""
        Z = (np.asarray(X, np.float64) - self.mean) * self.factor
        along = Z @ self.axes
        rest = np.maximum((Z**2).sum(axis=1) - (along**2).sum(axis=1), 0) / self.noise
        W = along @ self.whitening
        logits = (W @ self.centres.T - (self.centres**2).sum(axis=1) / 2).max(axis=1)
        return np.maximum((W**2).sum(axis=1) - 2 * logits, 0) + rest, logits


@dataclass(frozen=True, eq=False)
class Typicality:
    """Tells how unlike the training data an input is.

    Attributes:
        gaussians: of the classes.
        reference: ascending scores of training items that took no part in the Gaussians of their fold, (m,).
        items: how many training items these stand for.
    """

    gaussians: Gaussians
    reference: np.ndarray
    items: int

    def scores(self, X: np.ndarray) -> np.ndarray:
        """See `Gaussians.scores`."""
        return self.gaussians.scores(X)

    def p_values(self, X: np.ndarray) -> np.ndarray:
        """Of rows (n, d), (n,): the share of training items that are as far from the others, at least 1 / (m + 1)."""
        higher = 1 - np.searchsorted(self.reference, self.scores(X), side="left") / len(self.reference)
        return np.asarray((higher * self.items + 1) / (self.items + 1))

    def unlike(self, p_values: np.ndarray) -> np.ndarray:
        """(n,) whether a p-value says "unlike the training data": 0.01 or less, or the least that there can be."""
        return np.asarray(p_values <= max(UNLIKE, 1.001 / (self.items + 1)))

    def arrays(self) -> Arrays:
        """All of it, to be saved."""
        own = self.gaussians
        numbers = np.array([own.noise, self.items, own.weight, own.ceiling], np.float64)
        return {
            "mean": own.mean.astype(np.float32),
            "factor": own.factor.astype(np.float32),
            "axes": own.axes.astype(np.float32),
            "whitening": own.whitening.astype(np.float32),
            "centres": own.centres.astype(np.float32),
            "reference": self.reference,
            "numbers": numbers,
        }

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Typicality:
        """What `arrays` gave. Raises KeyError where one is missing."""
        names = ("mean", "factor", "axes", "whitening", "centres")
        wide = {name: arrays[name].astype(np.float64) for name in names}
        noise, items, *more = arrays["numbers"].tolist()
        weight = more[0] if more else 0.0
        ceiling = more[1] if len(more) > 1 else math.inf
        made = Gaussians(**wide, noise=noise, weight=weight, ceiling=ceiling)
        return cls(made, arrays["reference"], int(items))


def outlier_scores(
    X_train: np.ndarray, y: np.ndarray | None, X: np.ndarray, groups: np.ndarray | None = None, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (m,) of rows X (m, d), and their p-values (m,) among the training rows (n, d). See `typicality`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scores, p_values = outlier_scores(rng.normal(size=(200, 5)), None, np.array([[0.0] * 5, [9.0] * 5]))
        >>> (p_values < 0.01).tolist()
        [False, True]
    """
    fitted = typicality(X_train, y, groups, seed=seed)
    return fitted.scores(X), fitted.p_values(X)


def typicality(
    X: np.ndarray, y: np.ndarray | None = None, groups: np.ndarray | None = None, *, seed: int = 0
) -> Typicality:
    """Learn what is typical from training rows. Of more than 5,000 some are taken.

    Args:
        X: features (n, d).
        y: class codes (n,); None where there are no classes.
        groups: (n,), equal for items that are the same: each is scored without the others.
        seed: of the folds.

    Raises DataError for fewer than 20 items.
    """
    codes = np.zeros(len(X), np.intp) if y is None else np.unique(np.asarray(y), return_inverse=True)[1]
    groups = np.arange(len(X)) if groups is None else np.asarray(groups)
    if len(np.unique(groups)) < _LEAST_ROWS:
        raise DataError(
            f"What is typical cannot be learned from {len(X)} items.",
            expected=f"At least {_LEAST_ROWS} different ones.",
        )
    rows = np.arange(len(X)) if len(X) <= _MOST_ROWS else np.sort(_some(len(X), seed))
    X, codes, groups = np.asarray(X)[rows], codes[rows], groups[rows]
    plan = folds(np.zeros(len(X), np.intp), groups, n_splits=_FOLDS, seed=seed)
    whole, shrinkage = gaussians(X, codes, seed)
    made = [(gaussians(X[train], codes[train], seed, shrinkage)[0], X[test]) for train, test in plan]
    parts = [replace(own, weight=whole.weight, ceiling=whole.ceiling).scores(tested) for own, tested in made]
    left_out = np.concatenate(parts)
    reference = np.sort(left_out)
    if len(reference) > _KEPT:
        reference = np.quantile(reference, (np.arange(_KEPT) + 0.5) / _KEPT, method="inverted_cdf")
    return Typicality(whole, reference, len(left_out))


def _some(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)[:_MOST_ROWS]


def gaussians(X: np.ndarray, codes: np.ndarray, seed: int, shrinkage: float | None = None) -> tuple[Gaussians, float]:
    """The Gaussians, and how far the covariance was drawn to a sphere (Ledoit and Wolf 2004).

    Given, for those of a part of the rows: of fewer rows more would be right, and scores could not be compared.
    """
    mean, spread = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    factor = np.divide(1, spread, out=np.zeros_like(spread), where=spread > _TINY * max(spread.max(), _TINY))
    Z = ((X - mean) * factor).astype(np.float32)
    varying = max(int(np.count_nonzero(factor)), 1)
    r = max(1, min(_DIRECTIONS, len(Z) // _ROWS_A_DIRECTION, varying))
    axes = randomized_svd(Z, r, n_iter=2, random_state=seed)[2].T.astype(np.float64)
    along = Z @ axes
    present, own = np.unique(codes, return_inverse=True)
    centres = np.stack([along[own == code].mean(axis=0) for code in range(len(present))])
    deviations = along - centres[own]
    shrinkage = float(ledoit_wolf_shrinkage(deviations)) if shrinkage is None else shrinkage
    within = deviations.T @ deviations / max(len(Z) - len(present), 1)
    within = (1 - shrinkage) * within + shrinkage * np.trace(within) / r * np.eye(r)
    values, vectors = np.linalg.eigh(within)
    whitening = vectors / np.sqrt(np.maximum(values, _TINY))
    rest = max(float((Z.astype(np.float64) ** 2).sum() - (along**2).sum()), 0.0) / len(Z)
    noise = max(rest / max(varying - r, 1), 1e-3)
    return Gaussians(mean, factor, axes, whitening, centres @ whitening, noise).weighed(X), shrinkage
