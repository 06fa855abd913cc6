"""Boundaries of a data set: kept in the store where there is room for them, else computed live, decided beforehand."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from icecore.backbones import FREE, INPUT, TorchBackbone
from icecore.data import IMAGE, Dataset, Item, load, views_of
from icecore.errors import BadItemError, UsageError
from icecore.features import Features, Progress, extract
from icecore.prefix import Column, Cutter, Place, Prefix
from icecore.store import Store
from icecore.training.examples import Examples, Live, Stored
from icecore.training.precision import wants_bfloat16
from icecore.training.settings import TrainingSettings

_SAMPLE = 64  # items whose lengths say how large boundaries will be
_SHARE_OF_DISK, _SHARE_OF_MEMORY = 0.5, 0.25
_MEMORY = 8 << 30  # where the system does not say
_FLOAT = 4
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """What training reads.

    Attributes:
        features: of the columns that the frozen model reads; its data set holds the good items only.
        examples: for each place where the network is cut.
        notes: what to say aloud.
        seconds: that the frozen part took, all views together.
    """

    features: Features
    examples: Mapping[Place, Examples]
    notes: tuple[str, ...]
    seconds: float


def prepare(
    cutter: Cutter,
    places: Sequence[Place],
    dataset: Dataset,
    columns: Sequence[Column],
    settings: TrainingSettings,
    *,
    store: Store,
    progress: Progress,
    **options: Any,
) -> Prepared:
    """Extract what the frozen model reads and the boundaries; options are those of `extract`.

    Both come from one pass, unless training is in bfloat16: then the boundaries are too, and the features of the frozen
    model as it reads them, which the store has since it was fitted.
    """
    backbone, views = _alike(cutter.backbone), views_of(dataset.modality, settings.views)
    lower = wants_bfloat16(settings.precision, backbone.device)
    whole_prefix = cutter.prefix(places)
    prefix = whole_prefix.at_precision("bfloat16" if lower else backbone.precision)
    needed, room = size_of(prefix, dataset) * len(views), _room(store, settings)
    stored = [place for place in places if place.at != INPUT] if needed <= room else []
    wanted = [column for place in stored for column in prefix.columns(place.at)]
    how = {"store": store, "progress": progress, **options}
    together = [] if prefix is not whole_prefix else wanted
    first = extract(whole_prefix, dataset, [*columns, *together], **how)
    features = [
        first if view.number == 0 and together else extract(prefix.viewed(view), first.dataset, wanted, **how)
        for view in views
        if wanted
    ]
    good = first.dataset
    examples: dict[Place, Examples] = {}
    whole = needed <= _SHARE_OF_MEMORY * _memory()
    items = _thin_items(backbone, good, progress)
    for place in places:
        if place in stored or _all_whole(backbone, place):
            examples[place] = Stored(prefix, place.at, features, items, in_memory=whole)
        else:
            examples[place] = Live(prefix, place.at, good, views, items)
    seconds = sum(own.report.seconds for own in {id(own): own for own in (first, *features)}.values())
    return Prepared(first, examples, _notes(places, stored, needed, room), seconds)


def _alike(backbone: TorchBackbone) -> TorchBackbone:
    """The network, whose images all come to one shape. Raises UsageError where they do not."""
    if backbone.modality == IMAGE.name and backbone.item_shape is None:
        raise UsageError(
            f"The preprocessing of {backbone.id} leaves images in shapes of their own, which cannot share a batch.",
            do="Give it a crop, or resize to exact sizes, and fit again.",
        )
    return backbone


def size_of(prefix: Prefix, dataset: Dataset) -> int:
    """Bytes of all boundaries of a data set, from the lengths of a few items."""
    leaves = [leaf for place in prefix.places for leaf in prefix.leaves(place.at)]
    if not any(FREE in leaf.shape for leaf in leaves):
        return len(dataset) * _FLOAT * sum(math.prod(leaf.shape) for leaf in leaves)
    picked = np.linspace(0, len(dataset) - 1, min(_SAMPLE, len(dataset))).astype(int)
    items = []
    for i in picked.tolist():
        with suppress(BadItemError):
            items.append(_thin(prefix.backbone, dataset.inputs[i]))
    return int(len(dataset) * prefix.row_bytes(items) / max(1, len(items)))


def _room(store: Store, settings: TrainingSettings) -> float:
    if settings.store_limit is not None:
        return settings.store_limit
    folder = next(path for path in (store.root, *store.root.parents) if path.exists())
    return _SHARE_OF_DISK * shutil.disk_usage(folder).free


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _MEMORY


def _all_whole(backbone: TorchBackbone, place: Place) -> bool:
    """Whether a network that is trained from its input takes whole numbers alone, such as words: there is no need to
    prepare them again.
    """
    if place.at != INPUT:
        return False
    probe = backbone.probes()[-1]
    return isinstance(probe, Mapping) and not any(value.is_floating_point() for value in probe.values())


def _thin_items(backbone: TorchBackbone, dataset: Dataset, progress: Progress) -> list[Any]:
    """What replays need to know of each input; one for all where they are alike."""
    shape = backbone.item_shape
    if shape is not None:
        return [torch.full((), torch.nan).expand(shape)]
    found: list[Any] = []
    with ThreadPoolExecutor(_THREADS) as pool, progress.task("preparing", len(dataset)) as task:
        for item in pool.map(partial(_thin, backbone), (dataset.inputs[i] for i in range(len(dataset)))):
            found.append(item)
            task.advance(1)
    return found


def _thin(backbone: TorchBackbone, item: Item) -> Any:
    return backbone.thin(backbone.prepare(load(item, backbone.modality)[1]))


def _notes(places: Sequence[Place], stored: Sequence[Place], needed: int, room: float) -> tuple[str, ...]:
    notes = []
    if any(place.at == INPUT for place in places):
        notes.append("nothing is frozen, so every epoch runs the whole network.")
    if any(place.at != INPUT and place not in stored for place in places):
        notes.append(
            f"the boundaries would take {_size(needed)} and there is room for {_size(room)}, so the frozen part runs "
            "anew in every epoch."
        )
    return tuple(notes)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.3g} MB"
