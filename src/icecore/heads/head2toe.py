"""The features of all layers side by side, of which those are kept that say something about the classes (Head2Toe)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.heads import specs
from icecore.heads.axes import Axes
from icecore.heads.layered import LayeredHead
from icecore.heads.linear import Solution, on_features
from icecore.heads.logistic import LogisticHead
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Budget, Step, Take

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.named import Penalties
    from icecore.heads.split import Split

_BUDGET, _C = 4096, 10.0
_LEAST = 16  # features that are kept, where there are so many


class Head2ToeHead(LayeredHead):
    """Head2Toe (Evci et al. 2022, https://arxiv.org/abs/2201.03529): logistic regression on selected features of all
    layers.

    A layer of more features than `budget` is brought down to it by means of neighbours, so that no layer drowns the
    others (of flattened activations these are places beside each other). A regression on all of them scores each
    feature by the length of its weights over all classes, the group of the group lasso. Those with the highest scores
    are kept, and the head is fitted on them alone.

    `penalty` is how many features there are for each that is kept: 10 keeps a tenth. Options: `keep`, that share;
    `C` of both regressions, 10 by default; `budget`, features a layer.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1, 2], 10)
        >>> X = rng.normal(size=(30, 40)).astype("float32")
        >>> X[np.arange(30), 7 + y] += 4
        >>> head = Head2ToeHead("keep=0.1").over([10, 30]).fit(X, y, n_classes=3)
        >>> bool({7, 8, 9} <= set(head.kept.tolist()))
        True
    """

    name = "head2toe"
    penalties = (20.0, 10.0, 5.0, 3.0, 2.0, 1.5, 1.0)
    default_penalty = 2.0
    known_options: ClassVar[Mapping[str, specs.Converter]] = {
        "keep": specs.share,
        "C": specs.positive,
        "budget": specs.count,
    }
    penalty_option = "keep"
    gives_logits = True

    @property
    def kept(self) -> np.ndarray:
        """(m,) positions of the features that are read, after layers were brought to their budget. Raises HeadError
        before `fit`.
        """
        steps = self._fitted().steps_
        return next((step.index for step in steps if isinstance(step, Take)), np.arange(self.n_features_))

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """See `NamedHead.decisions`."""
        budget = self._budget(split.X.shape[1])
        rows, tested = budget(split.X), budget(split.X_test)
        order = self._order(rows, split.codes, split.k)
        values = []
        for penalty in penalties:
            take, linear = self._on_best(rows, split.codes, split.k, order, penalty)
            values.append(linear(take(tested)))
        return np.stack(values)

    def _decision_steps(self, split: Split) -> list[Step]:
        width = split.X.shape[1]
        budget = self._budget(width)
        rows = budget(split.X)
        order = self._order(rows, split.codes, split.k)
        steps = self._on_best(rows, split.codes, split.k, order, self.penalty)
        return [*([budget] if len(budget.starts) < width else []), *steps]

    def _budget(self, width: int) -> Budget:
        most = int(self.settings.get("budget", _BUDGET))
        starts = [
            span.start + np.linspace(0, span.stop - span.start, min(most, span.stop - span.start) + 1).astype(int)[:-1]
            for span in self.spans(width)
        ]
        return Budget(np.concatenate(starts))

    def _order(self, X: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
        """Features by their scores, best first."""
        axes = Axes.of(standardisation(X)(X))
        weight, _ = self._regression(axes, codes, k)
        scores = np.linalg.norm(axes.basis @ weight, axis=1)
        return np.argsort(-scores, kind="stable")

    def _on_best(
        self, X: np.ndarray, codes: np.ndarray, k: int, order: np.ndarray, penalty: float | None
    ) -> tuple[Take, Step]:
        """The features that are kept, and the regression on them."""
        index = np.sort(order[: max(_LEAST, round(len(order) / self._strength(penalty)))])
        rows = X[:, index]
        scale = standardisation(rows)
        axes = Axes.of(scale(rows))
        weight, bias = self._regression(axes, codes, k)
        return Take(index), on_features(scale, axes.basis @ weight, bias)

    def _regression(self, axes: Axes, codes: np.ndarray, k: int) -> Solution:
        """Of all features, to score them, and of those that are kept."""
        head, penalty = LogisticHead(class_weight=self.class_weight), 1 / float(self.settings.get("C", _C))
        return next(head.solutions(axes, codes, k, [penalty]))

    def _option_strength(self) -> float:
        return 1 / float(self.settings["keep"])
