"""Fine-tune a fitted model: read, extract, train, compare, and adopt what came out or not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from icecore import keys
from icecore.api.adopting import with_tuned
from icecore.api.labels import columns_of, require_items, table_columns, values_of
from icecore.api.one_network import require_one_network
from icecore.api.reports import TuningReport
from icecore.api.separating import groups_of
from icecore.artifact import Predictor, TargetRef
from icecore.backbones import LAST
from icecore.backbones.extras import require
from icecore.data import Dataset, read
from icecore.errors import DataError, TrainingError, UsageError
from icecore.features import Features, Progress, Silent, tell
from icecore.prefix import Cutter, canonical_pooling, prefix_key
from icecore.store import Store
from icecore.tasks import AnyHead, task_of
from icecore.training.boundaries import Prepared, prepare
from icecore.training.checkpoints import Checkpoints
from icecore.training.comparing import Comparison, FrozenTarget, compare, held_out, plan
from icecore.training.loop import Task
from icecore.training.searching import Search, search
from icecore.training.settings import TrainingSettings
from icecore.training.sharing import Sharing
from icecore.training.tuning import Stage, Tuned, Tuner
from icecore.training.unfreezing import Cut, cuts_for, cuttable

_FEW = 1000  # rows up to which every one of them is compared, in five folds
_FOLDS = 5


@dataclass(frozen=True)
class Request:
    """What is asked of a fine-tuning, beside its data.

    Attributes:
        settings: of the training.
        folds: of the comparison; None for one that suits the data.
        keep: adopt the tuned model whatever came out.
        search: how many settings are tried first.
    """

    settings: TrainingSettings
    folds: int | None
    keep: bool
    search: int = 0

    @property
    def searches_depth(self) -> bool:
        """Whether the number of blocks is searched too: where one was given, and they are not unfrozen in turn."""
        return bool(self.search) and isinstance(self.settings.unfreeze, int) and not self.settings.gradual


def training_settings(**given: Any) -> TrainingSettings:
    """Settings of a training. Raises UsageError for a name that there is not, with the nearest."""
    known = [field.name for field in fields(TrainingSettings)]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"Fine-tuning has no setting {name!r}.",
                expected=f"Known are {', '.join(known)}.",
                do=f"Did you mean {close[0]}?" if close else "",
            )
    if given.get("target_weight") is not None:
        given["target_weight"] = _weights(given["target_weight"])
    return TrainingSettings(**given)


def _weights(given: Any) -> dict[str, float]:
    """By target, from a mapping or from texts such as `price=2`. Raises UsageError for what is neither."""
    if isinstance(given, Mapping):
        return {str(name): float(weight) for name, weight in given.items()}
    found: dict[str, float] = {}
    for part in [given] if isinstance(given, str) else given:
        name, _, weight = part.rpartition("=")
        try:
            found[name] = float(weight)
        except ValueError:
            raise UsageError(f"Got the target weight {part!r}.", expected="TARGET=WEIGHT, such as price=2.") from None
    return found


def read_data(data: Any, y: Any, target: Any, input_col: Any, predictor: Predictor) -> Dataset:
    """Labelled data; a table's columns that are called like the model's targets are taken, else it is guessed."""
    options: dict[str, Any] = {"input_col": input_col, "labelled": True, "modality": predictor.manifest.modality}
    if y is None and target is None:
        with suppress(DataError):
            return read(data, target=table_columns(predictor.manifest.targets), **options)
    return read(data, y=columns_of(y, predictor.manifest.targets), target=target, **options)


def tune(
    predictor: Predictor, dataset: Dataset, request: Request, *, store: Store, progress: Progress, **options: Any
) -> tuple[TuningReport, Predictor]:
    """Fine-tune a model. Returns what happened, and the model to use from now on. Options are those of `extract`."""
    require_one_network(predictor, "fine-tuned", "Fine-tune its members, such as {}, and make the ensemble again.")
    settings, backbone = request.settings, cuttable(predictor.backbone)
    _require_sense(predictor, settings)
    _codes(predictor, dataset)  # labels that cannot be learned are told before any work is done
    sharing = Sharing.found(backbone.device)
    request = _ready_to_search(request, sharing) if request.search else request
    progress = progress if sharing.leads else Silent()
    cutter = Cutter(backbone)
    cuts = cuts_for(cutter, settings.unfreeze, gradual=settings.gradual or request.searches_depth)
    places, options = [cut.place for cut in cuts], options | {"store": store, "progress": progress}
    with sharing.in_turn():
        prepared = prepare(cutter, places, dataset, predictor.columns, settings, **options)
    require_items(prepared.features)
    for note in _notes(prepared):
        tell(progress, f"Note: {note}")
    tuners = _tuners(cutter, cuts, predictor, prepared, request, sharing=sharing, progress=progress)
    found = _searched(tuners, predictor, prepared.features, request, root=store.root) if request.search else None
    depth = found.depth if found else len(tuners) - 1
    request = replace(request, settings=found.settings) if found else request
    key = _key("training", predictor, prepared.features, tuners[depth].task, request)
    tuner = tuners[depth].under(request.settings, Checkpoints(store.root, key))
    comparison, tuned, adopted = _trained(tuner, predictor, prepared.features, request)
    unfrozen = cuts[depth if request.searches_depth else -1].unfrozen
    report = _report(predictor, prepared, tuner, comparison, tuned)
    report.adopted, report.kept, report.unfrozen = adopted, adopted and not comparison.better, unfrozen
    report.search = found
    if not adopted:
        return report, predictor
    what: dict[str, Any] = {"tuned": tuned, "comparison": comparison, "unfrozen": unfrozen, "task": tuner.task}
    return report, with_tuned(predictor, backbone, prepared.features, pooling=_pooling(predictor), **what)


def _tuners(
    cutter: Cutter, cuts: Sequence[Cut], predictor: Predictor, prepared: Prepared, request: Request, **own: Any
) -> list[Tuner]:
    """One that goes through all cuts; where the number of blocks is searched, one for each cut."""
    settings, task = request.settings, learned_of(predictor, prepared.features, request.settings)
    starts = [_start(predictor, target, settings) for target in predictor.manifest.targets]
    stages = [Stage(cut.suffix, prepared.examples[cut.place]) for cut in cuts]
    parts = [[stage] for stage in stages] if request.searches_depth else [stages]
    return [Tuner(cutter, part, task, starts, settings, pooling=_pooling(predictor), **own) for part in parts]


def _searched(
    tuners: Sequence[Tuner], predictor: Predictor, features: Features, request: Request, *, root: Path
) -> Search:
    """The best of so many settings, by the rows that stop a training early; those that are compared on stay unseen."""
    task = tuners[0].task
    train, held, _ = plan(task, features.dataset.splits, 1, request.settings.seed)[0]
    key = _key("search", predictor, features, task, request)
    return search(tuners, train, held, trials=request.search, root=root, key=key)


def _ready_to_search(request: Request, sharing: Sharing) -> Request:
    """The request, with one fold. Raises what would end the search, before any work is done."""
    require("optuna", "optuna")
    settings = request.settings
    if request.folds not in {None, 1}:
        raise UsageError(
            f"A search was asked for with a comparison in {request.folds} folds.",
            expected="One: rows that are compared on must have been seen by no trial.",
            do="Leave --folds out; given test rows, or a quarter of all, are compared on.",
        )
    if not settings.epochs or not settings.patience:
        raise UsageError(
            f"A search was asked for with epochs {settings.epochs} and patience {settings.patience}.",
            expected="Both above 0: trials are judged after every epoch, by the rows held out for stopping early.",
        )
    if sharing.size > 1:
        raise UsageError(
            "A search was asked for in several processes.", do="Search in one, and train with what it found in several."
        )
    return replace(request, folds=1)


def _trained(
    tuner: Tuner, predictor: Predictor, features: Features, request: Request
) -> tuple[Comparison, Tuned, bool]:
    """The comparison, what was tuned last, and whether it is adopted. Raises TrainingError."""
    task, settings = tuner.task, request.settings
    parts = plan(task, features.dataset.splits, _folds(request, features), settings.seed)
    frozen = [
        FrozenTarget(predictor.heads[target.name], predictor.matrix(features, target))
        for target in predictor.manifest.targets
    ]
    try:
        comparison = compare(tuner, frozen, parts)
        adopted = comparison.better or request.keep
        tuned = _final(tuner, comparison, task, settings) if adopted else comparison.tuned
    except TrainingError:  # again, it would come to the same
        tuner.forget()
        raise
    tuner.forget()
    return comparison, tuned, adopted


def _report(
    predictor: Predictor, prepared: Prepared, tuner: Tuner, comparison: Comparison, tuned: Tuned
) -> TuningReport:
    return TuningReport(
        targets=tuple(target.name for target in predictor.manifest.targets),
        metrics=comparison.metrics,
        frozen_metrics=comparison.frozen,
        difference=comparison.difference,
        compared=comparison.how,
        score=comparison.score,
        epochs=tuned.epochs,
        seconds={**tuner.seconds, "prefix": prepared.seconds},
        log=tuple(tuned.log),
        items=len(prepared.features),
        bad=prepared.features.bad,
        notes=_notes(prepared),
        leads=tuner.sharing.leads,
    )


def _notes(prepared: Prepared) -> tuple[str, ...]:
    return (*prepared.notes, *prepared.features.notes)


def learned_of(predictor: Predictor, features: Features, settings: TrainingSettings) -> Task:
    """Labels by the model's own classes. Raises DataError for labels that it does not know."""
    targets, weights = predictor.manifest.targets, settings.target_weight or {}
    return Task(
        _codes(predictor, features.dataset),
        [len(target.classes) for target in targets],
        groups_of(features, predictor.evidence),
        [task_of(target.task, target.classes) for target in targets],
        [float(weights.get(target.name, 1.0)) for target in targets],
    )


def _codes(predictor: Predictor, dataset: Dataset) -> list[np.ndarray]:
    targets = predictor.manifest.targets
    given = values_of(dataset.targets, targets)
    return [task_of(own.task, own.classes).encode(given[own.name].tolist(), own.name) for own in targets]


def _start(predictor: Predictor, target: TargetRef, settings: TrainingSettings) -> AnyHead:
    """The head that training starts from: the model's own where it reads `last` alone, else a linear one."""
    columns = [predictor.columns[i] for i in target.columns]
    if [column.layer for column in columns] == [LAST]:
        return predictor.heads[target.name]
    task = task_of(target.task, target.classes)
    made: AnyHead = task.make(task.fallback, class_weight=settings.class_weight, seed=settings.seed)
    return made


def _pooling(predictor: Predictor) -> str:
    """How the model pools `last`, or would if it read it: a vector is not pooled."""
    own = next((column.pooling for column in predictor.columns if column.layer == LAST), "mean")
    return canonical_pooling(predictor.backbone.layers()[LAST], own)


def _folds(request: Request, features: Features) -> int:
    if request.folds is not None:
        return request.folds
    return _FOLDS if len(features) < _FEW else 1


def _final(tuner: Tuner, comparison: Comparison, task: Task, settings: TrainingSettings) -> Tuned:
    """What was compared; where that was several models, one more that is trained on all rows."""
    if comparison.folds == 1:
        return comparison.tuned
    train, held = held_out(task, np.arange(len(task.groups)), settings.seed)
    return tuner.tune(train, held, "fine-tuning on all rows")


def _key(what: str, predictor: Predictor, features: Features, task: Task, request: Request) -> str:
    """Of everything that trainings derive from."""
    splits = features.dataset.splits
    starts = [_start(predictor, target, request.settings) for target in predictor.manifest.targets]
    return keys.key(
        what,
        {
            "network": prefix_key(predictor.backbone, LAST),
            "heads": [repr(head) for head in starts],
            "pooling": _pooling(predictor),
            "rows": keys.digest("rows", list(features.rows)).hex(),
            "codes": [codes.tolist() for codes in task.codes],
            "splits": None if splits is None else splits.tolist(),
            "settings": asdict(request.settings),
            "folds": request.folds,
        },
    )


def _require_sense(predictor: Predictor, settings: TrainingSettings) -> None:
    """Raise UsageError for what this model's targets cannot be trained with."""
    targets = predictor.manifest.targets
    strange = [name for name in settings.target_weight or {} if name not in {target.name for target in targets}]
    if strange:
        named = ", ".join(target.name for target in targets)
        raise UsageError(f"A weight is given for the target {strange[0]!r}.", expected=f"The targets are {named}.")
    if settings.contrastive and not any(target.task in ("classification", "ordinal") for target in targets):
        raise UsageError(
            "A contrastive phase pulls items of one class together, and no target here has one class a row.",
            do="Leave out --contrastive (contrastive=).",
        )
