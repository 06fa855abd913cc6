"""What a model says beside a prediction: which classes cannot be ruled out, and whether it has seen the like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icecore.artifact.evidence import Evidence
from icecore.artifact.schema import TargetRef
from icecore.errors import UsageError
from icecore.evaluation import conformal

WITH_SETS = ("classification", "ordinal")
_UNLIKE = "unlike the training data"


@dataclass(frozen=True, eq=False)
class Beside:
    """What is said of n inputs beside their predictions.

    Attributes:
        sets: of each the labels that cannot be ruled out at the coverage that was asked for; None where none was.
        familiarity: (n,) p-values: the share of training items that are as far from the others. None where it is not
            known.
        unlike: (n,) whether that says "unlike the training data".
    """

    sets: tuple[tuple[Any, ...], ...] | None = None
    familiarity: np.ndarray | None = None
    unlike: np.ndarray | None = None

    def to_json(self, index: int) -> dict[str, Any]:
        """What `predict --json` adds of an input."""
        found: dict[str, Any] = {}
        if self.sets is not None:
            found["set"] = list(self.sets[index])
        if self.familiarity is not None:
            found["familiarity"] = float(self.familiarity[index])
        return found

    def to_columns(self, index: int) -> dict[str, Any]:
        """The same as the columns of a table, labels with `;` between them."""
        found = self.to_json(index)
        return found | {"set": ";".join(map(str, found["set"]))} if "set" in found else found

    @property
    def header(self) -> tuple[str, ...]:
        """Names of what `shown` gives."""
        return (*(["cannot be ruled out"] if self.sets is not None else []), *([""] if self._some_unlike else []))

    def shown(self, index: int) -> tuple[str, ...]:
        """The same for people; how unlike the training data an input is only where that is so of some."""
        sets = [] if self.sets is None else [", ".join(map(str, self.sets[index])) or "nothing fits"]
        unlike = [_UNLIKE * bool(self.unlike[index])] if self._some_unlike and self.unlike is not None else []
        return (*sets, *unlike)

    @property
    def note(self) -> tuple[str, ...]:
        """A sentence to say aloud where some inputs are unlike the training data."""
        count = 0 if self.unlike is None else int(np.count_nonzero(self.unlike))
        if not count or self.unlike is None:
            return ()
        are = "inputs is" if 1 == count < len(self.unlike) else "input is" if count == 1 else "inputs are"
        return (
            f"{count:,} of {len(self.unlike):,} {are} {_UNLIKE} (of training items one in a hundred is so far from the "
            "others): what is said of such an input is a guess.",
        )

    @property
    def _some_unlike(self) -> bool:
        return self.unlike is not None and bool(self.unlike.any())


def sets_of(
    target: TargetRef, probabilities: np.ndarray, coverage: float, evidence: Evidence | None
) -> tuple[tuple[Any, ...], ...]:
    """Prediction sets of probabilities (n, k). Raises UsageError where they cannot be had."""
    own = None if evidence is None else evidence.targets.get(target.name)
    if evidence is None or own is None:
        raise UsageError(
            "Prediction sets need what the fit said of its items unseen, and this model was saved without it.",
            do="Fit it again, without --no-evidence.",
        )
    found = conformal(own.y[own.scored], own.proba[own.scored], coverage, evidence.groups[own.scored])
    return tuple(_labels(row, target.classes) for row in found.sets(probabilities))


def require_sets(targets: Sequence[TargetRef]) -> None:
    """Raise UsageError where no target has classes to make sets of."""
    if not any(target.task in WITH_SETS for target in targets):
        raise UsageError(
            f"Prediction sets are of classes, and here there are others: {', '.join(t.task for t in targets)}.",
            do="Leave the coverage out; numbers come with the interval that holds 95 % of new ones.",
        )


def _labels(row: np.ndarray, classes: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(label for label, own in zip(classes, row, strict=True) if own)
