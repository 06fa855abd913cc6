"""Heads that predict a number: what one is, and what the built-in ones share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np

from icecore.heads import checks
from icecore.heads.chain import Chain
from icecore.heads.named import Named, Penalties
from icecore.heads.steps import Linear, Step

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config
    from icecore.heads.split import Sides

NUMBERS = "numbers"
_STILL = 1e-12  # a spread under this part of the size is rounding


@runtime_checkable
class Regressor(Protocol):
    """A head that predicts a number, unfitted and fitted in one object.

    Like `Head`, but for what it learns from and answers. A plug-in's factory in the entry point group `icecore.heads`
    offers one as its attribute `regressor`, which is called as `regressor(options, penalty=..., seed=...)`.
    `icecore.testing.check_regressor` tests one.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  # see `Head`

    @property
    def stores_training_rows(self) -> bool: ...  # noqa: D102  # likewise

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Learn from features X (n, d), float32, and numbers y (n,). Raises HeadError where they do not fit together.

        Fitting again starts afresh.
        """
        ...

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Numbers (n,), float64, in the unit of y. Raises HeadError before `fit`."""
        ...

    def state(self) -> tuple[Config, Arrays]:
        """A JSON description and arrays: all that `predict` needs, and no pickle."""
        ...

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """Become the fitted head that `state` described."""
        ...


class ChainRegressor(Chain):
    """A head whose fitted form is a list of steps to one number. Subclasses say how the steps are learnt.

    They see numbers of mean zero and spread one, so that their settings mean the same in every unit.

    Args:
        seed: of whatever is drawn.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """See `Regressor.fit`."""
        X, y = checks.numbers(X, y)
        unit = Unit.of(y)
        return self._become([*self._learn(X, unit.to(y)), unit.back], X.shape[1])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """See `Regressor.predict`."""
        return self._outputs(X, 1)[:, 0]

    def state(self) -> tuple[Config, Arrays]:
        """See `Regressor.state`."""
        return self._state({})

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Regressor.load_state`."""
        self._load(config, arrays)
        return self

    def description(self) -> Config:
        """What `make_regressor` needs to make this head again, as JSON."""
        return {"head": self.name, "predicts": NUMBERS, "seed": self.seed}

    def _become(self, steps: list[Step], n_features: int) -> Self:
        self.steps_, self.n_features_ = steps, n_features
        return self

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        """The steps from features (n, d) to values (n, 1), of numbers (n,) of mean zero and spread one."""
        raise NotImplementedError(self.name)


class NamedRegressor(Named, ChainRegressor):
    """A head for numbers that is made by its name.

    Args:
        options: what comes after the colon of a spec, such as `alpha=0.1`.
        penalty: how simple the head has to be; larger is simpler. None is the head's own default.
        seed: of whatever is drawn.
    """

    def __init__(self, options: str = "", *, penalty: float | None = None, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._take(options, penalty)

    def description(self) -> Config:
        """See `ChainRegressor.description`."""
        return super().description() | {"options": self.options, "penalty": self.penalty}

    def values(self, sides: Sides, y: np.ndarray, penalties: Penalties) -> np.ndarray:
        """Values (len(penalties), m) of the test rows, learnt from numbers (n,) of mean zero and spread one."""
        raise NotImplementedError(self.name)


class Unit:
    """The mean and the spread of numbers: from their unit to that in which heads are fitted, and back."""

    def __init__(self, mean: float, spread: float) -> None:
        self.mean, self.spread = mean, spread

    @staticmethod
    def of(y: np.ndarray) -> Unit:
        """Of numbers (n,). Those that are all the same have no spread, and keep their unit."""
        mean, spread = float(y.mean()), float(y.std())
        return Unit(mean, spread if spread > _STILL * max(abs(mean), 1e-300) else 1.0)

    def to(self, y: np.ndarray) -> np.ndarray:
        """Numbers of mean zero and spread one."""
        scaled: np.ndarray = (y - self.mean) / self.spread
        return scaled

    @property
    def back(self) -> Linear:
        """The last step of a head: from such numbers (n, 1) to their unit."""
        return Linear(np.array([[self.spread]]), np.array([self.mean]))
