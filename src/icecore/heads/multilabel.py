"""Several labels a row: a binary head for each label, and its threshold from rows that were left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from icecore.errors import HeadError
from icecore.heads.questions import QuestionHead

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config

_LEAST_YES = 5  # rows that have a label; fewer say nothing about its threshold
_DEFAULT = 0.5


class MultilabelHead(QuestionHead):
    """A binary head for each label, on shared features. Labels are (n, k), 1 where a row has a label.

    Probabilities are (n, k), each label's own: they do not sum to one. A label counts as predicted where its
    probability reaches its threshold, which is the one of the best F1 on predictions for rows that were left out.

    Attributes:
        thresholds_: (k,).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(60, 4)).astype("float32")
        >>> head = MultilabelHead("logistic").fit(X, np.float32(X[:, :2] > 0), n_classes=2)
        >>> bool(((head.predict_proba(X) >= head.thresholds_) == (X[:, :2] > 0)).mean() > 0.9)
        True
    """

    kind = "multilabel"
    thresholds_: np.ndarray

    def questions(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """See `QuestionHead.questions`: whether a row has a label."""
        y = np.asarray(y)
        if y.ndim != 2 or y.shape[1] != n_classes or not np.isin(y, (0, 1)).all():
            raise HeadError(
                f"Got labels of shape {y.shape}.", expected=f"0 or 1 for each of {n_classes} labels, (n, k)."
            )
        return y.astype(bool)

    def combined(self, yes: np.ndarray) -> np.ndarray:
        """See `QuestionHead.combined`: each label's own."""
        return yes

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Head.load_state`."""
        super().load_state(config, arrays)
        self.thresholds_ = np.array(config["thresholds"], np.float64)
        return self

    def tune_thresholds(self, proba: np.ndarray, truth: np.ndarray) -> None:
        """Take the thresholds of the best F1 on rows that took no part, see `tuned_thresholds`."""
        self.thresholds_ = tuned_thresholds(proba, truth)

    def _learn(self, yes: np.ndarray, answers: np.ndarray) -> None:
        self.tune_thresholds(yes, answers)

    def _extra(self) -> Config:
        return {"thresholds": self.thresholds_.tolist()}


def tuned_thresholds(proba: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The threshold of the best F1 for each label, (k,), from probabilities (n, k) of rows that took no part.

    Between two probabilities it lies in the middle. Labels that fewer than five rows have take the one threshold that
    is best for all labels together. Rows of NaN are left out.

    Example:
        >>> p = np.array([[0.9], [0.8], [0.4], [0.35], [0.3], [0.2], [0.1]])
        >>> tuned_thresholds(p, np.array([[1], [1], [1], [1], [1], [0], [0]], bool)).tolist()
        [0.25]
    """
    rows = ~np.isnan(proba).any(axis=1)
    proba, truth = proba[rows], truth[rows]
    common = _best(proba.ravel(), truth.ravel())
    own = [_best(p, t) if t.sum() >= _LEAST_YES else common for p, t in zip(proba.T, truth.T, strict=True)]
    return np.array(own, np.float64)


def _best(proba: np.ndarray, truth: np.ndarray) -> float:
    if not truth.any():
        return _DEFAULT
    order = np.argsort(-proba, kind="stable")
    p, hits = proba[order], np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(p) + 1) + truth.sum())
    ends = np.append(p[1:] < p[:-1], True)  # equal probabilities are predicted together
    at = int(np.flatnonzero(ends)[f1[ends].argmax()])
    below = p[at + 1] if at + 1 < len(p) else 0.0
    middle = float((p[at] + below) / 2)
    return middle if middle > below else float(p[at])  # between neighbouring floats there is no middle
