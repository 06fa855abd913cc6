"""Classes in an order: a binary head for each step between two of them."""

from __future__ import annotations

import numpy as np

from icecore.heads import checks
from icecore.heads.questions import QuestionHead


class OrdinalHead(QuestionHead):
    """Is it above this class? One binary head for each of the k - 1 steps (Frank and Hall 2001).

    It is a head like any other, on codes 0..k-1 in their order. Answers that contradict each other (more likely above
    the third class than above the second) are drawn together before probabilities of classes are made of them.

    Example:
        >>> X = np.linspace(0, 1, 60, dtype="float32")[:, None]
        >>> head = OrdinalHead("logistic:C=100").fit(X, np.repeat([0, 1, 2], 20), n_classes=3)
        >>> head.predict_proba(X[[0, 30, 59]]).argmax(1).tolist()
        [0, 1, 2]
    """

    kind = "ordinal"

    def questions(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """See `QuestionHead.questions`: whether a row is above each class but the highest."""
        codes = checks.codes(y, (len(np.asarray(y)), 1), n_classes)
        return codes[:, None] > np.arange(n_classes - 1)

    def combined(self, yes: np.ndarray) -> np.ndarray:
        """See `QuestionHead.combined`."""
        falling = (np.minimum.accumulate(yes, axis=1) + np.maximum.accumulate(yes[:, ::-1], axis=1)[:, ::-1]) / 2
        edges = np.concatenate([np.ones((len(yes), 1)), falling, np.zeros((len(yes), 1))], axis=1)
        return np.asarray(edges[:, :-1] - edges[:, 1:])
