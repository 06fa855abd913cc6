"""What a head is: a classifier on plain arrays that can be written down as JSON and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

Arrays = dict[str, "np.ndarray"]
Config = dict[str, Any]


@runtime_checkable
class Head(Protocol):
    """A classifier on features, unfitted and fitted in one object.

    Making one is cheap: nothing is computed before `fit`. Plug-ins offer a factory in the entry point group
    `icecore.heads`, called as `factory(options, penalty=..., class_weight=..., seed=...)`, where `options` is what came
    after the colon of a spec (`"C=0.1"` in `my-head:C=0.1`, else `""`). `icecore.testing.check_head` tests one.

    Attributes:
        name: the name it is made by, such as `logistic`.
        stores_training_rows: whether its state holds rows it was fitted on, which a model card has to say.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  # described in the class docstring, like every attribute

    @property
    def stores_training_rows(self) -> bool: ...  # noqa: D102  # likewise

    def fit(self, X: np.ndarray, y: np.ndarray, *, n_classes: int) -> Self:
        """Learn from features X (n, d), float32, and class codes y (n,), integers in 0..n_classes-1.

        A class may be absent from y: it keeps its column in `predict_proba`. Fitting again starts afresh.
        Raises HeadError where X and y do not fit together.
        """
        ...

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities (n, n_classes), float64, each row sums to one. Raises HeadError before `fit`."""
        ...

    def state(self) -> tuple[Config, Arrays]:
        """A JSON description and arrays: all that `predict_proba` needs, and no pickle."""
        ...

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """Become the fitted head that `state` described."""
        ...
