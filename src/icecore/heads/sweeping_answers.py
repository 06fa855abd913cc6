"""Out-of-fold answers to yes-or-no questions for every penalty of a head, cheaply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from icecore.heads import checks
from icecore.heads.making import make
from icecore.heads.named import CERTAIN, NamedHead
from icecore.heads.split import Sides

if TYPE_CHECKING:
    from icecore.heads.out_of_fold import Folds
    from icecore.heads.protocol import Head
    from icecore.heads.weighting import ClassWeight

Tries: TypeAlias = Sequence[tuple[Any, Sequence[float | None]]]
Answer: TypeAlias = Callable[[Sides, np.ndarray], np.ndarray]  # -> log-odds (settings, m, q) of the test rows
_TINY = float(np.finfo(np.float64).tiny)


def strata_of(answers: np.ndarray) -> np.ndarray:
    """A code for each row of answers (n, q), for folds to spread evenly: its rarest yes, or none at all.

    Example:
        >>> strata_of(np.array([[1, 0], [1, 1], [0, 0], [1, 0]], bool)).tolist()
        [1, 0, 2, 1]
    """
    if not answers.shape[1]:
        return np.zeros(len(answers), np.int64)
    counts = answers.sum(axis=0)
    rarest = np.where(answers, counts, np.iinfo(np.int64).max).argmin(axis=1)
    codes = np.where(answers.any(axis=1), rarest, answers.shape[1])
    order = np.argsort(np.append(counts, np.iinfo(np.int64).max), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(np.unique(rank[codes], return_inverse=True)[1])


def sweep_answers(
    tries: Tries, X: np.ndarray, answers: np.ndarray, folds: Folds, *, class_weight: ClassWeight = None, seed: int = 0
) -> list[np.ndarray]:
    """Log-odds of yes for every question and row, for several heads with penalties, from folds that left the row out.

    As `sweep_all`, for the same purpose; what the questions, heads and penalties share is computed once a fold. The
    temperature of heads that need one is missing.

    Args:
        tries: specs as for `make`, each with its penalties.
        X: features (n, d).
        answers: (n, q), True for yes.
        folds: pairs of row indices (training, testing).
        class_weight: as for `make`.
        seed: as for `make`.

    Returns:
        for each of the tries float64 (len(penalties), n, q); NaN in rows that no fold tests.

    Example:
        >>> X, yes = np.eye(4, dtype="float32"), np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool)
        >>> [odds.shape for odds in sweep_answers([("ridge", [1.0, 0.1])], X, yes, [(np.array([0, 2]), np.array([1]))])]
        [(2, 4, 2)]
    """
    X, answers = checks.features(X), np.asarray(answers, bool)
    decide = [_answering(spec, grid, class_weight, seed) for spec, grid in tries]
    sizes = [len(grid) for _, grid in tries]
    total, times = np.zeros((sum(sizes), *answers.shape)), np.zeros((len(X), 1))
    for train, test in folds:
        sides = Sides(X[train], X[test])
        total[:, test] += np.concatenate([one(sides, answers[train]) for one in decide])
        times[test] += 1
    mean = np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0)
    return np.split(mean, np.cumsum(sizes)[:-1])


def _answering(spec: Any, penalties: Sequence[float | None], class_weight: ClassWeight, seed: int) -> Answer:
    head = make(spec, class_weight=class_weight, seed=seed)
    if isinstance(head, NamedHead):
        return lambda sides, answers: head.answers(sides, answers, penalties)

    def decide(sides: Sides, answers: np.ndarray) -> np.ndarray:
        makers = [partial(make, spec, penalty=p, class_weight=class_weight, seed=seed) for p in penalties]
        return np.stack([_fitted_odds(maker, sides, answers) for maker in makers])

    return decide


def _fitted_odds(maker: Callable[[], Head], sides: Sides, answers: np.ndarray) -> np.ndarray:
    """(m, q), by one fit a question."""
    out = np.empty((len(sides.X_test), answers.shape[1]))
    for q, own in enumerate(answers.T):
        proba = maker().fit(sides.X, own.astype(np.int64), n_classes=2).predict_proba(sides.X_test)
        logs = np.log(np.maximum(proba, _TINY))
        out[:, q] = np.clip(logs[:, 1] - logs[:, 0], -CERTAIN, CERTAIN)
    return out
