"""Extract: plan what is missing, compute it, commit it, and hand back features that are read from the store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from icecore.backbones import Extractor
from icecore.data import BadItem, Dataset
from icecore.errors import BadItemsError, UsageError
from icecore.features.finding import Finder, Found, only
from icecore.features.progress import Progress, Silent
from icecore.features.result import Features, Report
from icecore.prefix import Column
from icecore.store import Store

_SHOWN = 5


def extract(
    backbone: Extractor,
    dataset: Dataset,
    columns: Sequence[Column],
    *,
    store: Store,
    batch_size: int = 32,
    workers: int | None = None,
    strict: bool = False,
    ahead: int = 0,
    progress: Progress | None = None,
) -> Features:
    """Features of a data set: what the store has is read, the rest is computed once and committed.

    Args:
        backbone: the frozen network.
        dataset: the items. Equal contents are computed once.
        columns: what is wanted; all layers come from one pass.
        store: where rows are kept.
        batch_size: items in one forward pass at most; halved where they do not fit in memory, and fewer where that is
            faster on a CPU. Of texts, a pass has 64 tokens for each of them, padding included, in as many texts as that
            is.
        workers: threads that read and decode; by default so many that the network does not wait for them.
        strict: make bad items an error instead of setting them aside.
        ahead: how many more items of this network will be asked for soon. An engine that is made now serves them too.
        progress: told about the work.

    Raises:
        BadItemsError: there are bad items, and the call is strict.
        BackboneError: a single item does not fit in memory.
        StoreError: the store cannot be read or written.
        UsageError: the data are of another modality than the network's.
    """
    began = time.monotonic()
    _require_modality(backbone, dataset)
    finder = Finder(store, batch_size, workers, progress or Silent(), ahead)
    found = finder.find(backbone, dataset, columns)
    bad = _all_bad(dataset, found.reasons)
    if strict and bad:
        raise bad_items_error(bad)
    seconds = time.monotonic() - began
    parts = {name: _report(part, seconds) for name, part in found.parts.items()}
    kept, rows = only(found.good, dataset, found.rows)
    return Features(kept, rows, found.columns, found.source, bad, _report(found, seconds), parts)


def bad_items_error(bad: Sequence[BadItem]) -> BadItemsError:
    """The error that lists bad items."""
    listed = "; ".join(f"row {item.row} ({item.input}): {item.reason}" for item in bad[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
    count = "1 item" if len(bad) == 1 else f"{len(bad):,} items"
    return BadItemsError(
        f"{count} cannot be used: {listed}{more}.",
        do="Mend or remove them, or leave strictness out to set them aside.",
    )


def _require_modality(backbone: Extractor, dataset: Dataset) -> None:
    if dataset.modality != backbone.modality:
        raise UsageError(
            f"{dataset.source} was read as {dataset.modality}, and {backbone.id} takes {backbone.modality}.",
            do=f"Choose a network for {dataset.modality}, or read the data with modality={backbone.modality!r}.",
        )


def _all_bad(dataset: Dataset, reasons: Mapping[int, str]) -> tuple[BadItem, ...]:
    undecoded = [BadItem(dataset.inputs[i].row, dataset.inputs[i].name, reason) for i, reason in reasons.items()]
    return tuple(sorted([*dataset.bad, *undecoded], key=lambda item: item.row))


def _report(found: Found, seconds: float) -> Report:
    computed = int((found.computed & found.good).sum())
    reused = int(found.good.sum()) - computed
    return Report(computed, reused, seconds, found.remarks, found.stages, tuple(found.engines))
