"""Linear heads with a smooth loss, by L-BFGS in the coordinates where their problem is nearly round.

The sum of losses of x @ weight + bias over all rows, plus penalty / 2 * |weight|^2. Along a principal axis with sum of
squares s the curvature is about (curvature of the loss) * s + penalty, so each coordinate is measured in units of its
inverse square root. L-BFGS then needs 25 to 70 evaluations where it needs hundreds without (in the trials on features
of four networks), each penalty starting from the answer for the last. Only sums over rows are asked for, so that rows
may come in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from scipy.optimize import minimize

from icecore.heads.rows import Rows, pieces

if TYPE_CHECKING:
    from icecore.heads.linear import Solution
    from icecore.heads.steps import Standardise

# (weight (r, k), bias (k,)) -> the sum of losses, and its slopes by weight and by bias
Evaluate: TypeAlias = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray, np.ndarray]]

_TOLERANCE = 1e-5
_MOST_STEPS = 500


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss of decision values.

    Attributes:
        weights: of each class, (k,).
        penalised_bias: whether the bias is drawn to zero like the weights.
    """

    penalised_bias: ClassVar[bool] = False
    weights: np.ndarray

    @property
    def curvature(self) -> float:
        """How much it bends at zero."""
        raise NotImplementedError

    def __call__(self, values: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum of the losses of decision values (n, k) with class codes (n,), and their slopes (n, k)."""
        raise NotImplementedError


class CrossEntropy(Loss):
    """Minus the logarithm of the softmax probability of the right class."""

    @property
    def curvature(self) -> float:
        """That of equal probabilities."""
        return 1 / len(self.weights)

    def __call__(self, values: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
        """See `Loss.__call__`."""
        at = np.arange(len(codes)), codes
        weight = self.weights.astype(values.dtype)[codes]
        z = values - values.max(axis=1, keepdims=True)
        own, p = z[at], np.exp(z)
        total = p.sum(axis=1)
        losses = weight * (np.log(total) - own)
        p *= (weight / total)[:, None]
        p[at] -= weight
        return float(losses.sum(dtype=np.float64)), p


class SquaredHinge(Loss):
    """Squared hinge loss of each class against the rest. A class's own rows weigh its weight, the others one, or, of
    two classes, their own: as in liblinear.
    """

    penalised_bias = True

    @property
    def curvature(self) -> float:
        """That of rows on the wrong side of their margin."""
        return 2.0

    def __call__(self, values: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
        """See `Loss.__call__`."""
        at = np.arange(len(codes)), codes
        short = 1 + values  # by how much a value misses its margin
        short[at] = 1 - values[at]
        np.maximum(short, 0, out=short)
        slopes = 2 * short
        own = self.weights.astype(values.dtype)[codes]
        if len(self.weights) == 2:
            slopes *= own[:, None]
        else:
            slopes[at] *= own
        total = float(np.einsum("nk,nk->", short, slopes, dtype=np.float64) / 2)
        slopes[at] *= -1
        return total, slopes


@dataclass(frozen=True, eq=False)
class SquaredEpsilon(Loss):
    """Squared distance of a value to a number beyond epsilon. In the place of class codes it takes the numbers (n,).

    Attributes:
        epsilon: a distance that costs nothing.
    """

    epsilon: float = 0.0

    @property
    def curvature(self) -> float:
        """That of rows further off than epsilon."""
        return 2.0

    def __call__(self, values: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
        """See `Loss.__call__`."""
        off = values - codes[:, None]
        beyond = np.sign(off) * np.maximum(np.abs(off) - self.epsilon, 0)
        return float(np.square(beyond).sum()), 2 * beyond


def over_rows(rows: np.ndarray, codes: np.ndarray, loss: Loss) -> Evaluate:
    """The sums over rows (n, r) in memory, in float32, which halves the time."""
    rows = rows.astype(np.float32)

    def evaluate(weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        total, slopes = loss(rows @ weight.astype(np.float32) + bias.astype(np.float32), codes)
        return total, rows.T @ slopes, slopes.sum(axis=0, dtype=np.float64)

    return evaluate


def over_pieces(X: Rows, codes: np.ndarray, loss: Loss, scale: Standardise, basis: np.ndarray) -> Evaluate:
    """The sums over rows X (n, d) that are read, brought to scale and turned to axes piece by piece."""
    mean, factor = scale.mean.astype(np.float32), scale.factor.astype(np.float32)

    def evaluate(weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        turned, moved = (basis @ weight).astype(np.float32), bias.astype(np.float32)
        total, by_weight, by_bias = 0.0, np.zeros(turned.shape), np.zeros(bias.shape)
        for at, rows in pieces(X):
            Z = (rows - mean) * factor
            own, slopes = loss(Z @ turned + moved, codes[at])
            total += own
            by_weight += Z.T @ slopes
            by_bias += slopes.sum(axis=0, dtype=np.float64)
        return total, basis.T @ by_weight, by_bias

    return evaluate


def path(evaluate: Evaluate, loss: Loss, squares: np.ndarray, n: int, penalties: Sequence[float]) -> Iterator[Solution]:
    """For each penalty the weight (r, k) and bias (k,) with the least loss; give the penalties simplest first.

    Args:
        evaluate: sums over all rows along their principal axes.
        loss: which it sums.
        squares: sum of squares along each axis, (r,).
        n: number of rows.
        penalties: to solve for.
    """
    r, k = len(squares), len(loss.weights)
    solution = np.zeros((r + 1, k))  # the bias comes last
    for penalty in penalties:
        held = np.full((r + 1, 1), penalty)
        held[r] *= loss.penalised_bias
        unit = np.sqrt(n / (loss.curvature * np.append(squares, n)[:, None] + held))
        start = (solution / unit).ravel()
        found = minimize(
            _objective, start, (evaluate, held, unit, n), method="L-BFGS-B", jac=True,
            options={"maxiter": _MOST_STEPS, "maxfun": 2 * _MOST_STEPS, "gtol": _TOLERANCE, "ftol": 0.0},
        )  # fmt: skip
        solution = found.x.reshape(r + 1, k) * unit
        yield solution[:r], solution[r]


def _objective(
    x: np.ndarray, evaluate: Evaluate, held: np.ndarray, unit: np.ndarray, n: int
) -> tuple[float, np.ndarray]:
    """Mean loss with penalty, and its slopes, in the units of the solver."""
    solution = x.reshape(len(unit), -1) * unit
    total, *slopes = evaluate(solution[:-1], solution[-1])
    value = total + float((held * solution**2).sum()) / 2
    slope = np.vstack(slopes) + held * solution
    return value / n, (slope * unit).ravel() / n
