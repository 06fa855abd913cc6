"""Out-of-fold decision values for every penalty of a head, cheaply."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.heads import checks, ridge
from icecore.heads.making import make
from icecore.heads.named import NamedHead
from icecore.heads.out_of_fold import out_of_fold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from icecore.heads.out_of_fold import Decide, Folds
    from icecore.heads.protocol import Head
    from icecore.heads.split import Split
    from icecore.heads.weighting import ClassWeight


def sweep(  # noqa: PLR0917  # data, then what to try on it: in this order they read well without names
    spec: Any,
    X: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    penalties: Sequence[float | None],
    folds: Folds,
    *,
    class_weight: ClassWeight = None,
    seed: int = 0,
) -> np.ndarray:
    """Decision values of every row, for every penalty, from folds that did not train on it.

    The same as fitting `make(spec, penalty=p)` once a fold and penalty, but what penalties share is computed once: the
    Gram matrices of svm-rbf and ridge, the covariance of lda, the neighbours of knn; logistic and svm start each
    penalty from the answer for the last (so give them simplest first, as `penalties` does). A softmax over the last
    axis gives the probabilities of `fit` for logistic, knn, mlp and the user's own heads; for others its temperature
    is missing.

    Args:
        spec: as for `make`.
        X: features (n, d).
        y: class codes (n,), integers in 0..n_classes-1.
        n_classes: how many classes there are.
        penalties: those to try; None is the head's default.
        folds: pairs of row indices (training, testing).
        class_weight: as for `make`.
        seed: as for `make`.

    Returns:
        float64 (len(penalties), n, n_classes). The mean over folds where several test a row, NaN where none does, and
        -inf for a class that a training fold lacks.

    Example:
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> folds = [(np.array([0, 2]), np.array([1, 3])), (np.array([1, 3]), np.array([0, 2]))]
        >>> sweep("ridge", X, y, 2, [1.0, 0.1], folds).shape
        (2, 4, 2)
    """
    return sweep_all([(spec, penalties)], X, y, n_classes, folds, class_weight=class_weight, seed=seed)[0]


def sweep_all(
    tries: Sequence[tuple[Any, Sequence[float | None]]],
    X: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    folds: Folds,
    *,
    class_weight: ClassWeight = None,
    seed: int = 0,
) -> list[np.ndarray]:
    """`sweep` for several heads, each with penalties, on the same features: what they share is computed once a fold.

    That is the scale, and for all linear heads the principal axes.

    Example:
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> folds = [(np.array([0, 2]), np.array([1, 3]))]
        >>> [values.shape for values in sweep_all([("ridge", [1.0, 0.1]), ("centroid", [None])], X, y, 2, folds)]
        [(2, 4, 2), (1, 4, 2)]
    """
    X, y = checks.training(X, y, n_classes)
    decides = [_decide(spec, grid, class_weight, seed) for spec, grid in tries]

    def decide(split: Split) -> np.ndarray:
        return np.concatenate([one(split) for one in decides])

    sizes = [len(grid) for _, grid in tries]
    values = out_of_fold(decide, X, y, folds, n_classes=n_classes, n_settings=sum(sizes))
    return np.split(values, np.cumsum(sizes)[:-1])


def _decide(spec: Any, penalties: Sequence[float | None], class_weight: ClassWeight, seed: int) -> Decide:
    head = make(spec, class_weight=class_weight, seed=seed)
    if isinstance(head, NamedHead):
        return partial(head.decisions, penalties=penalties)
    return partial(_fit_each, [partial(make, spec, penalty=p, class_weight=class_weight, seed=seed) for p in penalties])


def says_probabilities(spec: Any) -> bool:
    """Whether a softmax over what `sweep` gives for a head is its probabilities, with no temperature to be found.

    Example:
        >>> says_probabilities("logistic"), says_probabilities("svm")
        (True, False)
    """
    head = make(spec)
    return head.gives_logits if isinstance(head, NamedHead) else True


def ridge_loo(
    X: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    penalties: Sequence[float],
    *,
    class_weight: ClassWeight = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Ridge decision values of every row from all rows but it, for every penalty, from one decomposition.

    Args:
        X: features (n, d).
        y: class codes (n,), integers in 0..n_classes-1.
        n_classes: how many classes there are; one that is absent from y has -inf.
        penalties: alphas, on rows of mean squared length one, as for the head `ridge`.
        class_weight: `balanced` to let every class count the same.
        groups: a number for every row (n,); rows of one group are left out together.

    Returns:
        float64 (len(penalties), n, n_classes). Means, spreads and class weights are those of all rows.

    Example:
        >>> ridge_loo(np.eye(4, dtype="float32"), np.array([0, 0, 1, 1]), 2, [1.0]).shape
        (1, 4, 2)
    """
    X, y = checks.training(X, y, n_classes)
    present, codes = np.unique(y, return_inverse=True)
    out = np.full((len(penalties), len(X), n_classes), -np.inf)
    out[:, :, present] = ridge.leave_one_out(
        X, codes, len(present), penalties, class_weight=class_weight, groups=groups
    )
    return out


def _fit_each(makers: Sequence[Callable[[], Head]], split: Split) -> np.ndarray:
    """Logarithms of probabilities (len(makers), m, k), by one fit each."""
    fitted = [maker().fit(split.X, split.codes, n_classes=split.k) for maker in makers]
    proba = np.stack([head.predict_proba(split.X_test) for head in fitted])
    return np.asarray(np.log(np.maximum(proba, np.finfo(np.float64).tiny)))
