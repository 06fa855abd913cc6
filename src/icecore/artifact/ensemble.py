"""An ensemble on disk and in memory: whole models on networks of their own, whose answers are averaged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from icecore import keys
from icecore.artifact.card import card
from icecore.artifact.evidence import EVIDENCE, Evidence
from icecore.artifact.predictor import Predictor
from icecore.artifact.saving import replacing, write_about
from icecore.artifact.schema import CARD, MANIFEST, MEMBERS, Manifest, TargetRef
from icecore.data import Dataset
from icecore.evaluation import Typicality
from icecore.features import Features
from icecore.store import Store
from icecore.tasks import task_of


@dataclass(frozen=True)
class Together(Features):
    """Features of the items that every network could take. Read as one, they are those of the first network.

    Attributes:
        each: by each network, of the same items.
    """

    each: tuple[Features, ...] = ()

    @staticmethod
    def of(each: Sequence[Features]) -> Together:
        """Of what several networks gave for one data set."""
        places = [{own.dataset.inputs[i].row: i for i in range(len(own))} for own in each]
        shared = [row for row in places[0] if all(row in place for place in places)]
        taken = [own.take(np.array([p[row] for row in shared], np.int64)) for own, p in zip(each, places, strict=True)]
        bad = {item.row: item for own in each for item in own.bad}
        first = {field.name: getattr(taken[0], field.name) for field in fields(Features)}
        return Together(**first | {"bad": tuple(bad[row] for row in sorted(bad))}, each=tuple(taken))

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Features.notes`: those of every network, each once."""
        return tuple(dict.fromkeys(note for own in self.each for note in own.notes))

    def take(self, index: np.ndarray) -> Together:
        """See `Features.take`."""
        return Together.of([own.take(index) for own in self.each])


class EnsemblePredictor(Predictor):
    """Several models as one: the weighted mean of the logs of their probabilities, or of their numbers.

    Args:
        manifest: that of the ensemble.
        members: the models that it names, in its order.
        evidence: what the ensemble said of items unseen, or the file that holds it.
    """

    def __init__(
        self, manifest: Manifest, members: Sequence[Predictor], *, evidence: Evidence | Path | None = None
    ) -> None:
        super().__init__(manifest, members[0].backbone, {}, evidence=evidence)
        self.members = tuple(members)

    @cached_property
    def typical(self) -> dict[str, Typicality]:
        """What is typical of the training data, by target, in the eyes of the first member that knows."""
        return {name: own for member in reversed(self.members) for name, own in member.typical.items()}

    @property
    def seen(self) -> set[bytes]:
        """See `Predictor.seen`: those of any member."""
        return {row for member in self.members for row in member.seen}

    @property
    def heaviest(self) -> int:
        """The number of the member that says most, on the average over targets."""
        return int(np.argmax([sum(member.weights.values()) for member in self.manifest.members]))

    def features(self, dataset: Dataset, store: Store, **options: Any) -> Together:
        """See `Predictor.features`: by every network, each from the store or computed."""
        return Together.of([member.features(dataset, store, **options) for member in self.members])

    def _judged(
        self, features: Features, target: TargetRef, *, familiar: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """See `Predictor._judged`. An input is as familiar as it is to the members on the average: that is as small as
        it says at most twice too often, whatever they have in common (Rueschendorf 1982).
        """
        if not isinstance(features, Together):
            raise TypeError("an ensemble reads what its own `features` gave")
        k, task = max(1, len(target.classes)), task_of(target.task, target.classes)
        total, p_values = np.zeros((len(features), k)), []
        for member, about, own in zip(self.members, self.manifest.members, features.each, strict=True):
            if weight := about.weights.get(target.name, 0.0):
                theirs = next(one for one in member.manifest.targets if one.name == target.name)
                answer, p_value = member._judged(own, theirs, familiar=familiar)  # noqa: SLF001 - of the same family
                total += weight * task.to_average(answer[:, :k])
                p_values += [] if p_value is None else [p_value]
        said = task.from_average(total)
        if target.task == "multilabel":
            said = np.hstack([said, np.broadcast_to(target.head["thresholds"], said.shape)])
        return said, np.mean(p_values, axis=0) if p_values else None

    def save(self, path: Path, *, include_backbone: bool = False, evidence: bool = True) -> None:
        """See `Predictor.save`: each member is written whole."""
        kept = self.evidence if evidence else None
        save_ensemble(path, self.manifest, self.members, kept, include_backbone=include_backbone)


def save_ensemble(
    path: Path,
    manifest: Manifest,
    members: Sequence[Path | Predictor],
    evidence: Evidence | None,
    *,
    include_backbone: bool = False,
) -> None:
    """Write an ensemble: its members as they lie in their folders, or as they are in memory; all without evidence where
    it has none.

    Raises ArtifactError, and what saving a member does.
    """
    with replacing(path) as aside:
        written = []
        for member, about in zip(members, manifest.members, strict=True):
            folder = aside / about.folder
            folder.parent.mkdir(exist_ok=True)
            if isinstance(member, Predictor):
                whole = include_backbone or about.backbone.included
                member.save(folder, include_backbone=whole, evidence=evidence is not None)
            else:
                _copied(member, folder, with_evidence=evidence is not None)
            written.append(_as_written(folder))
        refs = [about.model_copy(update=own) for about, own in zip(manifest.members, written, strict=True)]
        write_about(manifest.model_copy(update={"members": tuple(refs)}), evidence, aside)


def member_folder(number: int) -> str:
    """Where a member lies in the folder of its ensemble."""
    return f"{MEMBERS}/{number}.icecore"


def _copied(member: Path, folder: Path, *, with_evidence: bool) -> None:
    shutil.copytree(member, folder, ignore=None if with_evidence else shutil.ignore_patterns(EVIDENCE))
    if not with_evidence:
        (folder / CARD).write_text(card(_manifest(folder)), "utf-8")


def _as_written(folder: Path) -> dict[str, Any]:
    digest = keys.row_of_bytes((folder / MANIFEST).read_bytes()).hex()
    return {"digest": digest, "backbone": _manifest(folder).network}


def _manifest(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
