"""What the heads that have a name share: options, a penalty, and decision values for many penalties at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from icecore.errors import HeadError
from icecore.heads import specs
from icecore.heads.calibration import temperature
from icecore.heads.chain import ChainHead
from icecore.heads.inner_folds import inner_folds
from icecore.heads.out_of_fold import out_of_fold
from icecore.heads.steps import Softmax, Step

if TYPE_CHECKING:
    import numpy as np

    from icecore.heads.protocol import Config
    from icecore.heads.split import Split
    from icecore.heads.weighting import ClassWeight

Penalties = Sequence[float | None]


class NamedHead(ChainHead):
    """A head that is made by its name.

    Args:
        options: what comes after the colon of a spec, such as `C=0.1`.
        penalty: how simple the head has to be; larger is simpler, for every head. None is the head's own default.
        class_weight: `balanced` to let every class count the same.
        seed: of whatever is drawn.
    """

    penalties: ClassVar[tuple[float | None, ...]] = (None,)
    default_penalty: ClassVar[float] = 1.0
    known_options: ClassVar[Mapping[str, specs.Converter]] = {}
    penalty_option: ClassVar[str] = ""
    gives_logits: ClassVar[bool] = False

    def __init__(
        self, options: str = "", *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0
    ) -> None:
        super().__init__(class_weight=class_weight, seed=seed)
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

    def description(self) -> Config:
        """See `ChainHead.description`."""
        return super().description() | {"options": self.options, "penalty": self.penalty}

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """Decision values (len(penalties), m, k) of the test rows of a split, learnt from its training rows."""
        raise NotImplementedError(self.name)

    def _learn(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        steps = self._decision_steps(X, codes, k)
        return [*steps, Softmax(1.0 if self.gives_logits else self._temperature(X, codes, k))]

    def _decision_steps(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        """The steps from features (n, d) to decision values (n, k)."""
        raise NotImplementedError(self.name)

    def _temperature(self, X: np.ndarray, codes: np.ndarray, k: int) -> float:
        decide = partial(self.decisions, penalties=[self.penalty])
        values = out_of_fold(decide, X, codes, inner_folds(X, codes, self.seed), n_classes=k)
        return temperature(values[0], codes)

    def _strength(self, penalty: float | None) -> float:
        """The penalty to use: the one asked for, else the one in the options, else the default."""
        if penalty is not None:
            return penalty
        return self._option_strength() if self.pinned else self.default_penalty

    def _option_strength(self) -> float:
        return float(self.settings[self.penalty_option])
