"""What all built-in heads share: a fitted head is a chain of steps, from features to probabilities."""

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


class ChainHead:
    """A head whose fitted form is a list of steps. Subclasses say how the steps are learnt.

    Args:
        class_weight: `balanced` to let every class count the same.
        seed: of whatever is drawn.
    """

    name: ClassVar[str]
    stores_training_rows: bool = False

    def __init__(self, *, class_weight: ClassWeight = None, seed: int = 0) -> None:
        self.class_weight, self.seed = class_weight, seed

    def fit(self, X: np.ndarray, y: np.ndarray, *, n_classes: int) -> Self:
        """See `Head.fit`."""
        X, y = checks.training(X, y, n_classes)
        return self._become(self._chain(X, y, n_classes), X.shape[1], n_classes)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """See `Head.predict_proba`."""
        X = checks.features(X, self._fitted().n_features_)
        proba = np.empty((len(X), self.n_classes_))
        for at, rows in pieces(X):
            proba[at] = self._run(rows)
        return proba

    def state(self) -> tuple[Config, Arrays]:
        """See `Head.state`."""
        sizes = {"n_features": self._fitted().n_features_, "n_classes": self.n_classes_}
        steps, arrays = save_steps(self.steps_)
        return self.description() | sizes | {"steps": steps}, arrays

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Head.load_state`."""
        self.steps_ = load_steps(config["steps"], arrays)
        self.n_features_, self.n_classes_ = int(config["n_features"]), int(config["n_classes"])
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


def on_classes_there(learn: Callable[[np.ndarray, int], list[Step]], y: np.ndarray, n_classes: int) -> list[Step]:
    """The steps that `learn` gives for codes (n,) of the classes that are there; the others keep their columns."""
    present, codes = np.unique(y, return_inverse=True)
    steps: list[Step] = learn(codes, len(present)) if len(present) > 1 else [Constant()]
    return steps if len(present) == n_classes else [*steps, Columns(present, n_classes)]
