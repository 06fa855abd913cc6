"""Linear support vector machine, one class against the rest, by scikit-learn's liblinear."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from icecore.heads import specs
from icecore.heads.linear import LinearHead, Solution, columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

_TOLERANCE = 1e-3


class SvmHead(LinearHead):
    """Linear SVM with squared hinge loss. `penalty` is 1 / C, on rows of mean squared length one (see `scaling`).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(30, 4)).astype("float32"), np.repeat([0, 1, 2], 10)
        >>> SvmHead("C=1").fit(X, y, n_classes=3).predict_proba(X).shape
        (30, 3)
    """

    name = "svm"
    penalties = (3.0, 1.0, 0.3)
    default_penalty = 1.0
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"C": specs.positive}
    penalty_option = "C"

    def solutions(
        self, Z: np.ndarray, codes: np.ndarray, k: int, penalties: Sequence[float], width: int
    ) -> Iterator[Solution]:
        """See `LinearHead.solutions`. The dual problem is solved: twice as quick as the primal one here."""
        del k, width
        for penalty in penalties:
            model = LinearSVC(C=1 / penalty, tol=_TOLERANCE, random_state=self.seed, class_weight=self.class_weight)
            with warnings.catch_warnings():
                # A weak penalty converges slowly, towards a head that no longer changes its mind.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.set_params(dual=True).fit(Z, codes)
            yield columns(model.coef_, model.intercept_)

    def _option_strength(self) -> float:
        return 1 / float(self.settings["C"])
