"""`rank`: which network suits the data, which layer of it, and how sure that is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from icecore.api.budgets import Budget
from icecore.api.contestants import Contestant, How, contestants
from icecore.api.inspecting import parameters_of
from icecore.api.labels import Labels, Wanted, columns_of, encoded, require_balance
from icecore.api.latest import Rules
from icecore.api.options import open_progress, open_store
from icecore.api.pretrained import PretrainedModel
from icecore.api.race import MOST_ITEMS, Race
from icecore.api.ranking_reports import RankedBackbone, RankedLayer, Ranking
from icecore.errors import UsageError
from icecore.evaluation import Estimate
from icecore.features import Progress
from icecore.heads import make
from icecore.prefix.engines import require_engine
from icecore.selection import LAYERED, Candidate, Probed, Scores, head_name, layer_name, probes_for, standings
from icecore.store import Store


def rank(
    data: Any,
    backbones: Sequence[str | PretrainedModel],
    y: Any = None,
    *,
    layers: str | int | Sequence[str | int] = "all",
    pooling: str | Sequence[str] = "mean",
    heads: Sequence[Any] | None = None,
    class_weight: Literal["balanced"] | None = None,
    budget: float | str = "2m",
    n_folds: int = 5,
    seed: int = 0,
    target: str | Sequence[str] | None = None,
    task: Any = None,
    order: Any = None,
    input_col: str | Sequence[str] | None = None,
    device: str | None = None,
    precision: str = "float32",
    engine: str = "auto",
    store: Store | str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    strict: bool = False,
    require_licence: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress | bool = True,
) -> Ranking:
    """Rank pretrained networks, and layers of each, by how well quick probes do on their frozen features.

    Every layer under every pooling is probed by cross-validation; a network's figure is that of its best, chosen
    without the rows that score it. Two networks are compared on the same rows, and share a rank where they cannot be
    told apart. Beside that stand the scores of the literature: LogME, H-score, LEEP, k-NN, nearest centroid.

    All networks begin with some items, by which the whole is timed. What would take longer than the budget goes by
    successive halving (Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943): rounds of more items, each
    without the worse half of the networks, but never without one whose interval reaches the better half, until one is
    left or the budget is spent. Features stay in the store, for `fit`.

    Args:
        data: labelled data, as for `fit`. Of a given split the test rows are left alone.
        backbones: ids, or loaded networks. One that cannot be used is left out, with the reason.
        y: labels, where `data` holds inputs alone.
        layers: which to compare; by default every block and `last`.
        pooling: one or several to compare.
        heads: the probes; by default those that are quick: nearest centroid, ridge and k nearest neighbours.
        class_weight: `balanced` to let every class count the same.
        budget: how long it may take: seconds, a text such as `90s`, `5m` or `2h`, a share of what everything would
            take such as `10%`, or `all`. The first round, of a hundred items or five a class, always runs. At most
            4,000 items are looked at.
        n_folds: of the probes.
        seed: of the order of the items, of folds and of heads.
        target: the label column of a table; several of 0 and 1 with `task="multilabel"`.
        task: `classification`, `regression`, `multilabel` or `ordinal`; see `TransferModel.fit`.
        order: of ordinal classes, the lowest first.
        input_col: its column with the inputs.
        device: see `PretrainedModel.load`.
        precision: see there.
        engine: see there.
        store: a folder for features.
        batch_size: items in one forward pass; of texts, 64 tokens for each.
        workers: threads that read and decode.
        strict: make bad items an error.
        require_licence: see `PretrainedModel.load`; networks under another are left out.
        trust_remote_code: see `PretrainedModel.load`.
        progress: show it on standard error.

    Raises:
        UsageError: no backbone, two of one id, several targets, or a budget that is none.
        DataError: no backbone can be used, or the target has no classes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> images = [rng.integers(0, 100 + 50 * (i % 2), (32, 32, 3), dtype=np.uint8) for i in range(20)]
        >>> ranking = rank(images, ["icecore:vision-s@random"], ["dark", "light"] * 10, progress=False)
        >>> ranking.best.rank, ranking.items
        (1, 20)
    """
    allowed = Budget.of(budget)
    _require_names(backbones)
    told, wanted = open_progress(progress), Wanted(task, order)
    how = How(layers, pooling, open_store(store), batch_size, workers, strict, told)
    found, left_out = contestants(
        backbones,
        data,
        {"y": columns_of(y, wanted), "target": target, "input_col": input_col, "labelled": True},
        how,
        {
            "device": device,
            "precision": precision,
            "engine": require_engine(engine),
            "require_licence": require_licence,
            "trust_remote_code": trust_remote_code,
        },
    )
    labels, usable = _labels(found[0], wanted)
    require_balance(class_weight, [labels])
    probes = tuple(heads or probes_for(labels.task))
    for head in probes:
        _require_probe(head)
        labels.task.make(head, class_weight=class_weight)
    race = Race(found, left_out, labels, usable, how, Rules(probes, class_weight, n_folds, seed, allowed))
    race.run()
    return _report(race)


def _report(race: Race) -> Ranking:
    """What came out."""
    places = standings(race.heats)
    by_name = {one.name: one for one in race.all}
    for place in places:
        by_name[place.name].timed(race.order, race.how)
    n_folds = race.latest[places[0].name].on.folds
    bad = {row: item for one in race.all for row, item in one.bad.items()}
    return Ranking(
        target=race.labels.name,
        task=race.labels.task.name,
        described=race.labels.task.described,
        score_name=_score_name(race),
        items=len(race.usable),
        backbones=tuple(_ranked(place.rank, place.behind, by_name[place.name], race) for place in places),
        left_out=tuple(race.left_out),
        heats=tuple(race.rounds),
        done=race.done,
        whole_seconds=race.whole,
        evaluation=f"{n_folds} stratified folds; layer and probe chosen on the other folds",
        bad=tuple(bad[row] for row in sorted(bad)),
        notes=_notes(race, places[0].name),
    )


def _notes(race: Race, best: str) -> tuple[str, ...]:
    dataset, n = race.all[0].dataset, len(race.usable)
    kept_apart = len(dataset) - n
    said = [f"{len(dataset.bad):,} items of the data cannot be used."] if dataset.bad else []
    if kept_apart:
        said.append(f"The {kept_apart:,} test rows of the given split took no part: they are for the final figure.")
    if n > MOST_ITEMS:
        said.append(f"At most {MOST_ITEMS:,} of the {n:,} items are looked at, classes in their shares.")
    backbone = next(one.backbone for one in race.all if one.name == best)
    return (*dataset.notes, *backbone.notes, *race.labels.notes, *said)


def _score_name(race: Race) -> str:
    balanced = race.labels.task.name == "classification" and race.rules.class_weight is not None
    return "balanced accuracy" if balanced else race.labels.task.score_name


def _require_names(backbones: Sequence[str | PretrainedModel]) -> None:
    if isinstance(backbones, str | PretrainedModel) or not backbones:
        raise UsageError("There are no backbones to rank.", expected="Expected a list of ids or loaded networks.")
    names = [one if isinstance(one, str) else one.id for one in backbones]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"The backbone {twice[0]} was named twice.", do="Name each once.")


def _require_probe(head: Any) -> None:
    """Raise UsageError for a head that reads all layers at once."""
    if head_name(head) in LAYERED:
        raise UsageError(
            f"The head {head_name(head)} reads all layers at once, so it cannot say how good each of them is.",
            do="Name heads for single layers, such as ridge or logistic.",
        )


def _labels(one: Contestant, wanted: Wanted) -> tuple[Labels, np.ndarray]:
    """The target, and the positions of the items that may be looked at: all but the test rows of a given split."""
    dataset = one.dataset
    labels = encoded(dataset.targets, wanted)
    if len(labels) > 1:
        raise UsageError(
            f"The data has {len(labels)} targets: {', '.join(label.name for label in labels)}.",
            do="Name the one to rank by with --target (target=).",
        )
    splits = dataset.splits
    usable = np.arange(len(dataset)) if splits is None else np.flatnonzero(splits != "test")
    return labels[0], usable


def _ranked(place: int, behind: Estimate, one: Contestant, race: Race) -> RankedBackbone:
    latest = race.latest[one.name]
    probed, (scores, own) = latest.probed, latest.scores()
    return RankedBackbone(
        rank=place,
        backbone=one.name,
        score=probed.score,
        behind=behind,
        layer=layer_name(probed.best.layer),
        head=_described(probed.best),
        items=latest.items,
        knn=scores.best.knn,
        centroid=scores.best.centroid,
        logme=scores.best.logme,
        h_score=scores.best.h_score,
        leep=own,
        seconds_per_item=one.rate or None,
        parameters=parameters_of(one.backbone),
        licence=one.backbone.licence.name,
        layers=_layers(probed, scores.layers),
    )


def _layers(probed: Probed, scores: Sequence[Scores]) -> tuple[RankedLayer, ...]:
    single = sum(isinstance(one.layer, str) for one in probed.layers)
    return tuple(
        RankedLayer(
            layer=layer_name(one.layer),
            depth=place / max(1, single - 1) if isinstance(one.layer, str) else None,
            head=_described(one.head),
            score=one.score,
            knn=beside.knn,
            centroid=beside.centroid,
            logme=beside.logme,
            h_score=beside.h_score,
        )
        for place, (one, beside) in enumerate(zip(probed.layers, scores, strict=True))
    )


def _described(candidate: Candidate) -> str:
    name = candidate.head if isinstance(candidate.head, str) else make(candidate.head).name
    return name if candidate.penalty is None else f"{name}, penalty {candidate.penalty:g}"
