"""Several heads as one: the weighted mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from icecore.errors import HeadError
from icecore.heads import checks
from icecore.heads.rows import pieces
from icecore.heads.saving import load_steps, save_steps

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config, Head
    from icecore.heads.steps import Step

_STEPS = "steps."
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A head of an ensemble before it is made.

    Attributes:
        spec: as `make` takes it.
        penalty: likewise.
        spans: which features it reads: for each of its layers the first one, and the one after the last.
        weight: its share of the mean; all shares sum to one.
    """

    spec: Any
    penalty: float | None
    spans: Spans
    weight: float

    @property
    def widths(self) -> tuple[int, ...]:
        """Of its layers."""
        return tuple(stop - start for start, stop in self.spans)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A head spec: heads that are fitted each on its own features, and averaged."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A head of an ensemble, which features it reads, and its share of the mean."""

    head: Head
    spans: Spans
    weight: float

    def of(self, X: np.ndarray) -> np.ndarray:
        """Its features, (n, own d)."""
        first = self.spans[0]
        if len(self.spans) == 1:
            return X[:, slice(*first)]
        return np.concatenate([X[:, slice(*span)] for span in self.spans], axis=1)


class EnsembleHead:
    """The mean of the probabilities of several heads, which read the same rows, each its own features.

    Args:
        parts: the heads; none for a head that is to load its state.

    Attributes:
        steps_: what calibrates the mean; none by itself.

    Example:
        >>> from icecore.heads import make
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> both = EnsembleHead([Part(make("ridge"), ((0, 4),), 0.5), Part(make("centroid"), ((0, 3),), 0.5)])
        >>> both.fit(X, y, n_classes=2).predict_proba(X).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """

    name = "ensemble"

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self.parts = tuple(parts)
        self.steps_: list[Step] = []

    @property
    def stores_training_rows(self) -> bool:
        """Whether one of the heads does."""
        return any(part.head.stores_training_rows for part in self.parts)

    def fit(self, X: np.ndarray, y: np.ndarray, *, n_classes: int) -> Self:
        """See `Head.fit`."""
        X, y = checks.training(X, y, n_classes)
        self._require_parts(X.shape[1])
        for part in self.parts:
            part.head.fit(part.of(X), y, n_classes=n_classes)
        self.n_features_, self.n_classes_ = X.shape[1], n_classes
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """See `Head.predict_proba`."""
        X = checks.features(X, self._fitted().n_features_)
        proba = np.zeros((len(X), self.n_classes_))
        for at, rows in pieces(X):
            for part in self.parts:
                proba[at] += part.weight * part.head.predict_proba(part.of(rows))
        proba /= proba.sum(axis=1, keepdims=True)
        for step in self.steps_:
            proba = step(proba)
        return proba

    def state(self) -> tuple[Config, Arrays]:
        """See `Head.state`: those of the heads, their arrays under `<number of the head>.<name>`, and the steps, theirs
        under `steps.<number of the step>.<name>`.
        """
        self._fitted()
        states = [part.head.state() for part in self.parts]
        members = [
            {"weight": part.weight, "spans": [list(span) for span in part.spans], "head": config}
            for part, (config, _) in zip(self.parts, states, strict=True)
        ]
        arrays = {f"{i}.{name}": array for i, (_, own) in enumerate(states) for name, array in own.items()}
        sizes = {"n_features": self.n_features_, "n_classes": self.n_classes_}
        steps, own = save_steps(self.steps_)
        arrays |= {f"{_STEPS}{name}": array for name, array in own.items()}
        return {"head": self.name, **sizes, "members": members, "steps": steps}, arrays

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Head.load_state`."""
        from icecore.heads.making import restore

        parts = []
        for i, saved in enumerate(config["members"]):
            own = {name.removeprefix(f"{i}."): value for name, value in arrays.items() if name.startswith(f"{i}.")}
            spans = tuple((int(start), int(stop)) for start, stop in saved["spans"])
            parts.append(Part(restore(saved["head"], own), spans, float(saved["weight"])))
        self.parts, self.n_features_, self.n_classes_ = (
            tuple(parts),
            int(config["n_features"]),
            int(config["n_classes"]),
        )
        behind = {name.removeprefix(_STEPS): value for name, value in arrays.items() if name.startswith(_STEPS)}
        self.steps_ = load_steps(config.get("steps", []), behind)
        return self

    def _require_parts(self, width: int) -> None:
        reach = max((stop for part in self.parts for _, stop in part.spans), default=0)
        if not 0 < reach <= width:
            raise HeadError(
                f"The {len(self.parts)} heads of an ensemble read {reach} features, and there are {width}.",
                expected="One head at least, and features for all.",
            )

    def _fitted(self) -> Self:
        if not hasattr(self, "n_features_"):
            raise HeadError("The head 'ensemble' has not been fitted.", do="Call fit first.")
        return self

    def __repr__(self) -> str:
        return f"EnsembleHead({', '.join(f'{part.weight:.2f} {part.head!r}' for part in self.parts)})"
