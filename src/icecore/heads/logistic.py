"""Multinomial logistic regression, by scikit-learn's L-BFGS."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from icecore.heads import specs
from icecore.heads.linear import LinearHead, Solution, columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

_MAX_ITERATIONS = 1000
_TOLERANCE = 3e-5


class LogisticHead(LinearHead):
    """Logistic regression. `penalty` is 1 / C; C counts on rows of mean squared length one (see `scaling`).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(30, 4)).astype("float32"), np.repeat([0, 1, 2], 10)
        >>> LogisticHead("C=3").fit(X, y, n_classes=3).predict_proba(X).shape
        (30, 3)
    """

    name = "logistic"
    penalties = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
    default_penalty = 0.1
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"C": specs.positive}
    penalty_option = "C"
    gives_logits = True

    def solutions(
        self, Z: np.ndarray, codes: np.ndarray, k: int, penalties: Sequence[float], width: int
    ) -> Iterator[Solution]:
        """See `LinearHead.solutions`. Each penalty starts from the answer for the last; float32 halves the time.

        Features have spread one here: the stopping rule is on the gradient, and on rows of length one the step from one
        penalty to the next would look small enough to take none.
        """
        del k
        size = width**0.5
        Z = (Z * size).astype(np.float32)
        model = LogisticRegression(
            class_weight=self.class_weight, max_iter=_MAX_ITERATIONS, tol=_TOLERANCE, warm_start=True
        )
        for penalty in penalties:
            with warnings.catch_warnings():
                # Separable classes under a weak penalty converge slowly, to a head that no longer changes its mind.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.set_params(C=1 / (penalty * width)).fit(Z, codes)
            weight, bias = columns(model.coef_.copy(), model.intercept_.copy())
            yield weight * size, bias

    def _option_strength(self) -> float:
        return 1 / float(self.settings["C"])
