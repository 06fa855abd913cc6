"""What `ensemble` reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icecore.api.jsonable import as_json, one_or_by_target
from icecore.api.reports import Metrics
from icecore.evaluation import Estimate


@dataclass(frozen=True)
class MemberReport:
    """A model that could take part.

    Attributes:
        name: as it was given.
        backbone: its network.
        parameters: of the network; None where that is not known.
        milliseconds: that an item takes from reading to features, see `icecore.api.costing`; None where that is not
            known.
    """

    name: str
    backbone: str
    parameters: int | None
    milliseconds: float | None


@dataclass(frozen=True)
class TargetEnsemble:
    """The ensemble of one target, beside the best single model, on items that chose neither.

    Attributes:
        name: of the target.
        score: in which the gain is, in words.
        shares: of each model in the mean, in their order; 0 for those that are not in it.
        best: the number of the best single model.
        metrics: of the ensemble.
        single_metrics: of the best single model, chosen anew in each fold.
        each: of every model.
        gain: in the score, ensemble minus best single model, with its interval.
        items: on how many items.
        conflicts: how many shared items have other labels in some models, and were left out.
        pays: whether the ensemble is better beyond the interval.
    """

    name: str
    score: str
    shares: tuple[float, ...]
    best: int
    metrics: Metrics
    single_metrics: Metrics
    each: tuple[Metrics, ...]
    gain: Estimate
    items: int
    conflicts: int
    pays: bool

    @property
    def said(self) -> str:
        """The gain in words."""
        gain = self.gain
        difference = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
        return f"{self.score}, ensemble minus best single model: {difference}"

    @property
    def several(self) -> bool:
        """Whether more than one model is in it."""
        return sum(share > 0 for share in self.shares) > 1


@dataclass
class Ensembled:
    """What `ensemble` came to. `to_json` is what `icecore ensemble --json` prints.

    Attributes:
        members: the models, in their order.
        targets: what came of each target.
        keep: whether it was to be saved whatever came out.
        model: where the ensemble was saved; None where it was not.
    """

    members: Sequence[MemberReport]
    targets: Sequence[TargetEnsemble]
    keep: bool = False
    model: Path | None = None

    @property
    def pays(self) -> bool:
        """Whether it is better beyond the interval, for one target at least."""
        return any(target.pays for target in self.targets)

    @property
    def adopted(self) -> bool:
        """Whether it is worth saving, or was asked to be saved."""
        return self.pays or (self.keep and any(target.several for target in self.targets))

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said aloud."""
        return tuple(
            f"{target.conflicts:,} items have another {target.name} in some of the models, and were left out."
            for target in self.targets
            if target.conflicts
        )

    def to_json(self) -> dict[str, Any]:
        """One JSON object; several targets nest what is of each."""

        def by_target(name: str) -> Any:
            return one_or_by_target({target.name: as_json(getattr(target, name)) for target in self.targets})

        return {
            "model": None if self.model is None else str(self.model),
            "adopted": self.adopted,
            "pays": by_target("pays"),
            "gain": by_target("gain"),
            "score": by_target("score"),
            "metrics": by_target("metrics"),
            "single_metrics": by_target("single_metrics"),
            "items": by_target("items"),
            "members": [self._member(number) for number in range(len(self.members))],
            "notes": list(self.notes),
        }

    def _member(self, number: int) -> dict[str, Any]:
        shares = {target.name: round(target.shares[number], 4) for target in self.targets}
        metrics = {target.name: as_json(target.each[number]) for target in self.targets}
        own: dict[str, Any] = as_json(self.members[number])
        return own | {"weight": one_or_by_target(shares), "metrics": one_or_by_target(metrics)}
