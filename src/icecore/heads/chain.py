"""What all built-in heads share: a fitted head is a chain of steps, from features to probabilities or to a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from icecore.errors import HeadError
from icecore.heads import checks
from icecore.heads.rows import pieces
from icecore.heads.saving import load_steps, save_steps
from icecore.heads.steps import Columns, Constant, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from icecore.heads.protocol import Arrays, Config
    from icecore.heads.weighting import ClassWeight


class Chain:
    """Something fitted that is a list of steps, with all that it takes to save it and to run it."""

    name: ClassVar[str]
    stores_training_rows: bool = False
    steps_: list[Step]
    n_features_: int

    def description(self) -> Config:
        """What `make` needs to make this again, as JSON."""
        raise NotImplementedError(self.name)

    def _state(self, sizes: Config) -> tuple[Config, Arrays]:
        """See `Head.state`; `sizes` are written between the description and the steps."""
        steps, arrays = save_steps(self._fitted().steps_)
        return self.description() | {"n_features": self.n_features_} | sizes | {"steps": steps}, arrays

    def _load(self, config: Config, arrays: Arrays) -> None:
        self.steps_, self.n_features_ = load_steps(config["steps"], arrays), int(config["n_features"])

    def _outputs(self, X: np.ndarray, width: int) -> np.ndarray:
        """What the chain makes of rows (n, d): (n, width), float64."""
        X = checks.features(X, self._fitted().n_features_)
        out = np.empty((len(X), width))
        for at, rows in pieces(X):
            out[at] = self._run(rows)
        return out

    def _run(self, X: np.ndarray) -> np.ndarray:
        for step in self.steps_:
            X = step(X)
        return X

    def _fitted(self) -> Self:
        if not hasattr(self, "steps_"):
            raise HeadError(f"The head {self.name!r} has not been fitted.", do="Call fit first.")
        return self

    def __repr__(self) -> str:
        given: dict[str, Any] = self.description()
        return (
            f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in given.items() if key != 'head')})"
        )


class ChainHead(Chain):
    """A head whose fitted form is a list of steps. Subclasses say how the steps are learnt.

    Args:
        class_weight: `balanced` to let every class count the same.
        seed: of whatever is drawn.
    """

    def __init__(self, *, class_weight: ClassWeight = None, seed: int = 0) -> None:
        self.class_weight, self.seed = class_weight, seed

    def fit(self, X: np.ndarray, y: np.ndarray, *, n_classes: int) -> Self:
        """See `Head.fit`."""
        X, y = checks.training(X, y, n_classes)
        return self._become(self._chain(X, y, n_classes), X.shape[1], n_classes)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """See `Head.predict_proba`."""
        return self._outputs(X, self._fitted().n_classes_)

    def state(self) -> tuple[Config, Arrays]:
        """See `Head.state`."""
        return self._state({"n_classes": self._fitted().n_classes_})

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Head.load_state`."""
        self._load(config, arrays)
        self.n_classes_ = int(config["n_classes"])
        return self

    def description(self) -> Config:
        """What `make` needs to make this head again, as JSON."""
        return {"head": self.name, "class_weight": self.class_weight, "seed": self.seed}

    def _become(self, steps: list[Step], n_features: int, n_classes: int) -> Self:
        self.steps_, self.n_features_, self.n_classes_ = steps, n_features, n_classes
        return self

    def _chain(self, X: np.ndarray, y: np.ndarray, n_classes: int) -> list[Step]:
        return on_classes_there(lambda codes, k: self._learn(X, codes, k), y, n_classes)

    def _learn(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        """The steps from features (n, d) to probabilities (n, k); codes are 0..k-1 and all of them are there."""
        raise NotImplementedError(self.name)


def on_classes_there(learn: Callable[[np.ndarray, int], list[Step]], y: np.ndarray, n_classes: int) -> list[Step]:
    """The steps that `learn` gives for codes (n,) of the classes that are there; the others keep their columns."""
    present, codes = np.unique(y, return_inverse=True)
    steps: list[Step] = learn(codes, len(present)) if len(present) > 1 else [Constant()]
    return steps if len(present) == n_classes else [*steps, Columns(present, n_classes)]
