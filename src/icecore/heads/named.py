"""What the heads that have a name share: options, a penalty, and decision values for many penalties at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from icecore.errors import HeadError
from icecore.heads import specs
from icecore.heads.chain import ChainHead, on_classes_there
from icecore.heads.inner_folds import inner_folds
from icecore.heads.out_of_fold import out_of_fold
from icecore.heads.split import Split
from icecore.heads.steps import Softmax, Step
from icecore.heads.temperature import temperature

if TYPE_CHECKING:
    from icecore.heads.protocol import Config
    from icecore.heads.split import Sides
    from icecore.heads.weighting import ClassWeight

Penalties = Sequence[float | None]
CERTAIN = 1e3  # log-odds of the answer to a question that every training row answers alike


class Named:
    """Options and a penalty.

    Args:
        options: what comes after the colon of a spec, such as `C=0.1`.
        penalty: how simple it has to be; larger is simpler. None is its own default.
    """

    name: ClassVar[str]
    penalties: ClassVar[tuple[float | None, ...]] = (None,)
    default_penalty: ClassVar[float] = 1.0
    known_options: ClassVar[Mapping[str, specs.Converter]] = {}
    penalty_option: ClassVar[str] = ""

    def _take(self, options: str, penalty: float | None) -> None:
        """Raises HeadError where the options mean nothing, or say the penalty a second time."""
        self.options, self.penalty = options, penalty
        self.settings: dict[str, Any] = specs.options(self.name, options, self.known_options)
        if not self.penalty_option:
            specs.refuse_penalty(self.name, penalty)
        if self.pinned and penalty is not None:
            raise HeadError(
                f"{self.name}:{options} says its penalty, and penalty={penalty} says it again.",
                do="Leave one of them out.",
            )

    @property
    def pinned(self) -> bool:
        """Whether the options say the penalty, so that there is none to search."""
        return self.penalty_option in self.settings

    def _strength(self, penalty: float | None) -> float:
        """The penalty to use: the one asked for, else the one in the options, else the default."""
        if penalty is not None:
            return penalty
        return self._option_strength() if self.pinned else self.default_penalty

    def _option_strength(self) -> float:
        return float(self.settings[self.penalty_option])


class NamedHead(Named, ChainHead):
    """A head that is made by its name.

    Args:
        options: what comes after the colon of a spec, such as `C=0.1`.
        penalty: how simple the head has to be; larger is simpler, for every head. None is the head's own default.
        class_weight: `balanced` to let every class count the same.
        seed: of whatever is drawn.
    """

    gives_logits: ClassVar[bool] = False  # whether a softmax of its decision values is right as it is

    def __init__(
        self, options: str = "", *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0
    ) -> None:
        super().__init__(class_weight=class_weight, seed=seed)
        self._take(options, penalty)

    def description(self) -> Config:
        """See `ChainHead.description`."""
        return super().description() | {"options": self.options, "penalty": self.penalty}

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """Decision values (len(penalties), m, k) of the test rows of a split, learnt from its training rows."""
        raise NotImplementedError(self.name)

    def answers(self, sides: Sides, answers: np.ndarray, penalties: Penalties) -> np.ndarray:
        """Decision values for yes minus those for no, (len(penalties), m, q), to q yes-or-no questions.

        Args:
            sides: training rows and test rows, (m, d).
            answers: of the training rows, (n, q), True for yes.
            penalties: those to try.
        """
        out = np.empty((len(penalties), len(sides.X_test), answers.shape[1]))
        for number, own in enumerate(answers.T):
            if own.all() or not own.any():
                out[:, :, number] = CERTAIN if own.all() else -CERTAIN
            else:
                values = self.decisions(Split(sides, own.astype(np.int64), 2), penalties)
                out[:, :, number] = values[:, :, 1] - values[:, :, 0]
        return out

    def fit_on(self, sides: Sides, codes: np.ndarray, n_classes: int, warmth: float) -> Self:
        """Fit on the training rows of both sides, at a temperature that is known, what other heads share with it."""

        def learn(own: np.ndarray, k: int) -> list[Step]:
            return self.steps_for(Split(sides, own, k), warmth)

        return self._become(on_classes_there(learn, codes, n_classes), sides.X.shape[1], n_classes)

    def steps_for(self, split: Split, warmth: float) -> list[Step]:
        """The steps from features (n, d) to probabilities (n, k) under a temperature, learnt from training rows."""
        return [*self._decision_steps(split), Softmax(warmth)]

    def _learn(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        return self.steps_for(Split(X, codes, k), 1.0 if self.gives_logits else self._temperature(X, codes, k))

    def _decision_steps(self, split: Split) -> list[Step]:
        """The steps from features (n, d) to decision values (n, k)."""
        raise NotImplementedError(self.name)

    def _temperature(self, X: np.ndarray, codes: np.ndarray, k: int) -> float:
        decide = partial(self.decisions, penalties=[self.penalty])
        values = out_of_fold(decide, X, codes, inner_folds(X, codes, self.seed), n_classes=k)
        return temperature(values[0], codes)
