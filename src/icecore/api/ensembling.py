"""`ensemble`: finished models, on different networks for instance, as one, where that pays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from icecore import artifact, keys
from icecore.api.aligning import Shared
from icecore.api.costing import cost_of
from icecore.api.describing import versions
from icecore.api.ensemble_reports import Ensembled
from icecore.api.joining import Joined, Member, join
from icecore.api.model import TransferModel
from icecore.api.options import open_progress
from icecore.artifact import (
    EVIDENCE,
    DataRef,
    Evidence,
    Manifest,
    MemberRef,
    Predictor,
    member_folder,
    read_evidence,
    read_manifest,
)
from icecore.errors import UsageError
from icecore.features import Progress

Model = TransferModel | str | os.PathLike[str]


def ensemble(
    models: Sequence[Model],
    *,
    out: str | os.PathLike[str] | None = None,
    keep: bool = False,
    include_backbone: bool = False,
    evidence: bool = True,
    measure: bool = True,
    seed: int = 0,
    progress: Progress | bool = True,
) -> Ensembled:
    """Several models as one: the weighted mean of what they say, saved where that is better than the best of them.

    The shares are picked greedily, with replacement (Caruana et al. 2004), by the loss of the task (log loss, of
    numbers the squared error), from what each model said of the items that all were fitted on, unseen. Neither data nor
    networks are needed. The gain is that on rows which took no part: of five folds, shares and best single model are
    chosen on the other four. Of several targets each takes its ensemble where that pays, else its best single model.

    Args:
        models: two or more, saved or in memory, of the same targets; on a network each, or several on one.
        out: a folder to save the ensemble in, which holds its members whole. Without it nothing is saved.
        keep: save it even where it is not better beyond the interval.
        include_backbone: put the networks in, to be whole anywhere; loads them.
        evidence: see `TransferModel.save`.
        measure: time a few items where the fit of a model did not say what one costs; that loads its network.
        seed: of the folds.
        progress: show it on standard error.

    Returns:
        What came of it; `adopted` says whether there is an ensemble.

    Raises:
        UsageError: models of other targets or inputs, without items in common, or without evidence.
        DataError: too few items.
        ArtifactError: a model cannot be read, or nothing can be written to `out`.

    Example:
        >>> images = np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3), dtype=np.uint8)
        >>> images[::2] //= 4
        >>> models = [TransferModel(f"icecore:vision-s@random-{seed}", head="ridge") for seed in (1, 2)]
        >>> found = ensemble([model.fit(images, ["dark", "light"] * 12, progress=False) for model in models])
        >>> found.adopted, found.targets[0].items
        (False, 24)
    """
    if out is not None:
        artifact.require_writable(Path(out).expanduser())
    members = [_member(model, number) for number, model in enumerate(models)]
    _require_alike(members)
    shared = Shared.of([member.evidence for member in members])
    names = [target.name for target in members[0].manifest.targets]
    joined = [join(name, members, shared, keep=keep, seed=seed) for name in names]
    told = open_progress(progress)
    costs = [cost_of(member, told, measure=measure) for member in members]
    report = Ensembled(costs, [one.report for one in joined], keep)
    if out is not None and report.adopted:
        report.model = Path(out).expanduser()
        _save(report.model, members, shared, joined, include_backbone=include_backbone, evidence=evidence)
    return report


def _member(model: Model, number: int) -> Member:
    """A saved model, whose network is not loaded, or one in memory. Raises ArtifactError, UsageError."""
    source: Path | Predictor
    if isinstance(model, TransferModel):
        name, manifest, evidence, source = f"model {number}", model.manifest, model.evidence, model.predictor
    else:
        source = Path(model).expanduser()
        name, manifest, file = os.fspath(model), read_manifest(source), source / EVIDENCE
        evidence = read_evidence(file, manifest.data.fingerprint) if file.is_file() else None
    if manifest.members:
        raise UsageError(f"{name} is an ensemble itself.", do=f"Name its members, such as {name}/{member_folder(0)}.")
    if evidence is None:
        raise UsageError(
            f"{name} was saved without what its fit said of its items, so its share cannot be chosen.",
            do="Fit it again, without --no-evidence (evidence=False).",
        )
    return Member(name, manifest, evidence, source)


def _require_alike(members: Sequence[Member]) -> None:
    """Raise UsageError for fewer than two, and for models that say different things, or of different inputs."""
    if len(members) < 2:
        raise UsageError(f"Got {len(members)} model.", expected="Two or more to make an ensemble of.")
    first = members[0]
    for other in members[1:]:
        one, its = (_about(member) for member in (first, other))
        part = next((part for part in one if one[part] != its[part]), None)
        if part is not None:
            raise UsageError(
                f"{first.name} and {other.name} differ in {part}: {_short(one[part])} and {_short(its[part])}.",
                expected="Models of the same inputs, targets, tasks and classes.",
                do="Fit them on the same data.",
            )


def _about(member: Member) -> dict[str, Any]:
    """What the models of an ensemble have to have in common."""
    targets = member.manifest.targets
    return {
        "what goes in": member.manifest.modality,
        "targets": sorted(target.name for target in targets),
        "tasks": {target.name: target.task for target in sorted(targets, key=lambda one: one.name)},
        "classes": {target.name: target.classes for target in sorted(targets, key=lambda one: one.name)},
    }


def _short(value: Any) -> str:
    said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return said if len(said) <= 100 else f"{said[:100]}..."


def _save(
    path: Path,
    members: Sequence[Member],
    shared: Shared,
    joined: Sequence[Joined],
    *,
    include_backbone: bool,
    evidence: bool,
) -> None:
    used = [number for number in range(len(members)) if any(number in one.mix.shares for one in joined)]
    taking = [members[number] for number in used]
    if include_backbone:
        taking = [_loaded(member) for member in taking]
    refs = [
        MemberRef(
            folder=member_folder(place),
            name=members[number].name,
            backbone=members[number].manifest.network,
            weights={one.ref.name: float(one.mix.shares.get(number, 0.0)) for one in joined},
        )
        for place, number in enumerate(used)
    ]
    manifest = Manifest(
        icecore=version("icecore"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        modality=members[0].manifest.modality,
        members=tuple(refs),
        targets=tuple(one.ref for one in joined),
        data=_data(members, shared),
        versions=versions(),
    )
    kept = _evidence(members[0].evidence, shared, joined) if evidence else None
    models = [member.model for member in taking]
    artifact.save_ensemble(path, manifest, models, kept, include_backbone=include_backbone)


def _loaded(member: Member) -> Member:
    model = member.model if isinstance(member.model, Predictor) else artifact.load(member.model)
    return Member(member.name, member.manifest, member.evidence, model)


def _data(members: Sequence[Member], shared: Shared) -> DataRef:
    """The items that all members have in common."""
    first = members[0].manifest.data
    fingerprints = [member.manifest.data.fingerprint for member in members]
    own = keys.key("data", {"members": fingerprints, "rows": [row.hex() for row in shared.rows]})
    bad = max(member.manifest.data.bad_items for member in members)
    return DataRef(name=first.name, items=len(shared.rows), bad_items=bad, fingerprint=own)


def _evidence(first: Evidence, shared: Shared, joined: Sequence[Joined]) -> Evidence:
    at = shared.at[0]
    return Evidence(
        rows=shared.rows,
        inputs=[first.inputs[i] for i in at],
        paths=[first.paths[i] for i in at],
        groups=np.asarray(shared.groups),
        splits=None if first.splits is None else first.splits[at],
        targets={one.ref.name: one.evidence for one in joined},
    )
