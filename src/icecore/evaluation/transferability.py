"""Scores of how well frozen features suit labels, without a probe: LogME, H-score and LEEP.

They are what the literature ranks pretrained networks by (You et al. 2021, Bao et al. 2019, Nguyen et al. 2020). Higher
is better. They compare networks on the same rows; none of them is an accuracy, and they look at the rows that they are
fitted on, so an accuracy on rows kept apart has the last word.

Their intervals are about new items from the same source, by the jackknife: how much the score moves without an item,
which is known in closed form for all three. For H-score and LEEP it is the infinitesimal one (Jaeckel 1972; Efron 1982,
ch. 6), the derivative by the weight of a row, summed over the rows of a group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from icecore.errors import UsageError
from icecore.evaluation.estimate import Z95, Estimate
from icecore.heads.axes import principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

_RATIOS = np.logspace(-10, 10, 81)  # of the two precisions of LogME, in units of the mean square along an axis
_NOTHING = 1e-12  # of the sum of squares of the labels: what is left of it by rounding


def logme(X: np.ndarray, y: ArrayLike, n_classes: int | None = None, *, groups: np.ndarray | None = None) -> Estimate:
    """Logarithm of maximum evidence (You et al. 2021, https://arxiv.org/abs/2102.11005), in nats for each row.

    The evidence of Bayesian linear regression from features to labels, the weights integrated out, with the precisions
    of prior and noise at their best; the mean over classes (one against the rest) or over quantities. Neither scale nor
    rotation of the features changes it. The best noise is known in closed form for every ratio of the two precisions,
    so the ratio is searched for alone; the paper's fixed-point iteration may end elsewhere where there are more
    features than rows. Without an item, the evidence is lower by the log density of its labels given the others
    (Rasmussen and Williams 2006, section 5.4.2), which makes the interval.

    Args:
        X: features (n, d), as they are: there is no intercept, as in the paper.
        y: class codes (n,), or quantities (n,) or (n, k) where there are no classes.
        n_classes: how many classes there are; None where y holds quantities. Classes without a row are left out.
        groups: (n,), equal for equal items, which the interval counts once.

    Raises UsageError for shapes or values that cannot be right, or labels that are all alike.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(60) % 3
        >>> noise = rng.normal(size=(60, 8))
        >>> logme(noise + 2 * np.eye(3, 8)[y], y, 3).value > logme(noise, y, 3).value
        True
    """
    X = _features(X)
    Y = _quantities(y, len(X)) if n_classes is None else _indicators(_codes(y, len(X), n_classes), n_classes)
    squares, axes = principal(X.T @ X) if X.shape[1] <= len(X) else principal(X @ X.T)
    U = X @ axes / np.sqrt(squares) if X.shape[1] <= len(X) else axes
    parts = [_evidence(U, squares, column, groups) for column in Y.T]
    value = float(np.mean([part[0] for part in parts]))
    return _estimate(value, np.mean([part[1] for part in parts], axis=0), groups)


def _evidence(U: np.ndarray, squares: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> tuple[float, np.ndarray]:
    """Evidence a row, and what each row has to do with it (n,).

    Args:
        U: rows along their principal axes, of length one each, (n, r).
        squares: sums of squares along these axes (r,).
        y: labels (n,).
        groups: (n,), rows that are left out together.
    """
    n, along = len(y), U.T @ y
    outside = float(y @ y - along @ along)
    outside = outside if outside > _NOTHING * float(y @ y) else 0.0

    def evidence(ratio: np.ndarray) -> np.ndarray:
        """Of each ratio of the precision of the prior to that of the noise, which is at its best."""
        left = ratio[..., None] / (squares + ratio[..., None])
        spread = np.log(2 * np.pi / n * (left @ along**2 + outside))
        return np.asarray((np.log(left).sum(axis=-1) - n * spread - n) / 2)

    ratio = _highest(evidence, float(squares.mean()) if len(squares) else 1.0)
    left = ratio / (squares + ratio)
    noise = n / float(left @ along**2 + outside)
    residual = y - U @ along + U @ (left * along)
    return float(evidence(np.array(ratio))) / n, _left_out(U, left, residual, noise, groups)


def _highest(evidence: Callable[[np.ndarray], np.ndarray], unit: float) -> float:
    """The ratio with the highest evidence: on a grid, then between the neighbours of the best."""
    grid = np.log(_RATIOS * unit)
    best = int(evidence(np.exp(grid)).argmax())
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    found = minimize_scalar(lambda log: -float(evidence(np.exp(log))), bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def _left_out(
    U: np.ndarray, left: np.ndarray, residual: np.ndarray, noise: float, groups: np.ndarray | None
) -> np.ndarray:
    """Log density of each label given all others, (n,); of those of a group together, in its first row."""
    free = 1 - np.square(U).sum(axis=1) + np.square(U) @ left
    free = np.maximum(free, np.finfo(float).tiny)
    density = (np.log(noise * free / (2 * np.pi)) - noise * residual**2 / free) / 2
    for rows in _together(groups):
        block = np.eye(len(rows)) - U[rows] @ U[rows].T + (U[rows] * left) @ U[rows].T
        explained = float(residual[rows] @ np.linalg.lstsq(block, residual[rows])[0])
        determinant = np.linalg.slogdet(block * noise / (2 * np.pi))[1]
        density[rows] = 0.0
        density[rows[0]] = (determinant - noise * explained) / 2
    return np.asarray(density)


def _together(groups: np.ndarray | None) -> list[np.ndarray]:
    """Rows of each group of several."""
    if groups is None:
        return []
    _, index, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = np.split(np.argsort(index, kind="stable"), np.cumsum(counts)[:-1])
    return [order[i] for i in np.flatnonzero(counts > 1)]


def h_score(
    X: np.ndarray,
    y: ArrayLike,
    n_classes: int,
    *,
    shrinkage: float | None = None,
    groups: np.ndarray | None = None,
) -> Estimate:
    """H-score (Bao et al. 2019, https://arxiv.org/abs/2212.10082): the variance between classes, in units of the whole.

    That is the trace of the inverse covariance of the features times the covariance of their class means; at most the
    number of classes less one.

    With fewer rows than some ten a feature the plain covariance overfits, and every wide layer looks perfect; so it is
    shrunk towards a multiple of the identity, by the amount of Ledoit and Wolf (2004), as Ibrahim et al. do (2021,
    https://arxiv.org/abs/2110.06893).

    Args:
        X: features (n, d).
        y: class codes (n,).
        n_classes: how many classes there are.
        shrinkage: 0 for the plain covariance and its pseudo-inverse, up to 1; None for Ledoit and Wolf's.
        groups: (n,), equal for equal items, which the interval counts once.

    Raises UsageError for shapes or values that cannot be right, or labels that are all alike.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(60) % 3
        >>> noise = rng.normal(size=(60, 8))
        >>> h_score(noise + 2 * np.eye(3, 8)[y], y, 3).value > 2 * h_score(noise, y, 3).value
        True
    """
    X = _features(X)
    codes = _codes(y, len(X), n_classes)
    Z = X - X.mean(axis=0)
    width = Z.shape[1]
    squares, axes = principal(Z.T @ Z) if width <= len(Z) else principal(Z @ Z.T)
    rows = Z @ axes if width <= len(Z) else axes * np.sqrt(squares)  # along the principal axes, (n, r)
    spread = Spread(rows, squares / len(Z), width)
    amount = spread.ledoit_wolf() if shrinkage is None else _share(shrinkage)
    value, influence = spread.between(codes, amount)
    return _estimate(value, influence, groups)


@dataclass(frozen=True, eq=False)
class Spread:
    """Centred rows along their principal axes (n, r), variances there (r,), and how many features there were."""

    rows: np.ndarray
    variances: np.ndarray
    width: int

    def ledoit_wolf(self) -> float:
        """How much to shrink the covariance towards a multiple of the identity: 0..1 (Ledoit and Wolf 2004)."""
        squared = float(self.variances @ self.variances)
        apart = squared - float(self.variances.sum()) ** 2 / self.width
        fourth = float(np.mean(np.square(self.rows).sum(axis=1) ** 2))
        return min(1.0, (fourth - squared) / len(self.rows) / apart) if apart > 0 else 1.0

    def between(self, codes: np.ndarray, shrinkage: float) -> tuple[float, np.ndarray]:
        """H-score, and what each row has to do with it (n,). The derivative takes the shrinkage as given."""
        mean = float(self.variances.sum()) / self.width
        inverse = 1 / ((1 - shrinkage) * self.variances + shrinkage * mean)
        own = np.eye(codes.max() + 1)[codes]
        counts = np.maximum(own.sum(axis=0), 1)
        centres = (own.T @ self.rows) / counts[:, None]
        shares = own.mean(axis=0)
        between = shares @ np.square(centres)  # variance of the class means along each axis
        value = float(inverse @ between)
        mine = centres[codes]
        gain = np.sum(inverse * mine * (2 * self.rows - mine), axis=1) - value
        reach = np.square(self.rows * inverse @ centres.T) @ shares - float(inverse**2 * self.variances @ between)
        wider = np.square(self.rows).sum(axis=1) / self.width - mean
        loss = (1 - shrinkage) * reach + shrinkage * wider * float(inverse**2 @ between)
        return (1 - shrinkage) * value, (1 - shrinkage) * (gain - loss)


def leep(proba: np.ndarray, y: ArrayLike, n_classes: int, *, groups: np.ndarray | None = None) -> Estimate:
    """Log expected empirical prediction (Nguyen et al. 2020, https://arxiv.org/abs/2002.12462), in nats; at most 0.

    The mean log-likelihood of the labels under the classifier that a network makes with its own, former classes z:
    P(y | x) = sum over z of P(y | z) P(z | x), with P(y | z) as seen on these rows.

    Args:
        proba: the network's probabilities of its own classes (n, m); rows sum to one.
        y: class codes (n,).
        n_classes: how many classes there are.
        groups: (n,), equal for equal items, which the interval counts once.

    Raises UsageError for shapes or values that cannot be right, or labels that are all alike.

    Example:
        >>> knows, guesses = np.eye(2)[[0, 0, 1, 1]], np.full((4, 2), 0.5)
        >>> [round(leep(proba, [1, 1, 0, 0], 2).value, 3) for proba in (knows, guesses)]
        [0.0, -0.693]
    """
    proba = _features(proba)
    codes = _codes(y, len(proba), n_classes)
    if proba.min() < 0 or np.abs(proba.sum(axis=1) - 1).max() > 1e-3:
        raise UsageError(
            "LEEP was given rows that are no probabilities.",
            expected="Expected numbers from 0 to 1 that sum to one in every row; a softmax makes them of logits.",
        )
    seen = proba.sum(axis=0)
    weights = proba / np.where(seen > 0, seen, 1.0)  # what a row has in each of the former classes, (n, m)
    own = np.eye(n_classes)[codes]
    given = own.T @ weights  # P(y | z), (n_classes, m)
    likely = np.maximum(np.sum(proba * given[codes], axis=1), np.finfo(float).tiny)
    leaning = own.T @ (proba / likely[:, None])
    expected = np.sum(given * leaning, axis=0)
    influence = np.log(likely) + np.sum(weights * (leaning[codes] - expected), axis=1)
    return _estimate(float(np.log(likely).mean()), influence, groups)


def _estimate(value: float, influence: np.ndarray, groups: np.ndarray | None) -> Estimate:
    """With the interval of what each row has to do with n times the value, summed over groups."""
    codes = np.arange(len(influence)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sums = np.bincount(codes, influence - influence.mean())
    half = Z95 * math.sqrt(float(sums @ sums) * len(sums) / max(len(sums) - 1, 1)) / len(influence)
    return Estimate(value, value - half, value + half)


def _features(X: np.ndarray) -> np.ndarray:
    X = np.asarray(X, np.float64)
    if X.ndim != 2 or not X.size or not np.isfinite(X).all():
        raise UsageError(
            f"Features came with shape {X.shape}{'' if X.ndim != 2 or not X.size else ' and missing values'}.",
            expected="Expected finite numbers of shape (n, d), with at least one row.",
        )
    return X


def _codes(y: ArrayLike, n: int, n_classes: int) -> np.ndarray:
    codes = np.asarray(y)
    if codes.shape != (n,) or codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= n_classes:
        raise UsageError(
            f"Labels of shape {codes.shape} came with {n} rows of features.",
            expected=f"Expected one class code a row, integers from 0 to {n_classes - 1}.",
        )
    if (codes == codes[0]).all():
        raise UsageError("The labels are all alike.", expected="Expected at least two classes among the rows.")
    return codes


def _indicators(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """(n, classes that occur): 1 for the class, 0 for the others."""
    own = np.eye(n_classes)[codes]
    return np.asarray(own[:, own.any(axis=0)])


def _quantities(y: ArrayLike, n: int) -> np.ndarray:
    Y = np.asarray(y, np.float64)
    Y = Y[:, None] if Y.ndim == 1 else Y
    if Y.ndim != 2 or len(Y) != n or not np.isfinite(Y).all():
        raise UsageError(
            f"Quantities of shape {np.shape(y)} came with {n} rows of features.",
            expected="Expected finite numbers of shape (n,) or (n, k).",
        )
    if not Y.any(axis=0).all():
        raise UsageError("A quantity is 0 in every row.", expected="Expected numbers that differ.")
    return Y


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"The shrinkage is {value:g}.", expected="Expected a number from 0 to 1.")
    return value
