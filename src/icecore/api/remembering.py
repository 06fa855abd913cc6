"""The items of a fit, found again: where each can be read, and its features from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from icecore.api.guessing import read_for
from icecore.artifact import Evidence, Predictor
from icecore.backbones import JoinedBackbone
from icecore.data import Dataset, Item
from icecore.features import Progress
from icecore.features.hashing import row_keys
from icecore.features.stored import as_matrix
from icecore.prefix import column_key, network_about, network_key
from icecore.store import Store

MOST_NUMBERS = 1 << 28  # of features that are held in memory: 1 GiB

Found = list[Item | None]


def items_of(evidence: Evidence, modality: str) -> Found:
    """Where each item was when the model was fitted; None where nothing lies there now.

    Texts are in the evidence itself, where they were no longer than what it keeps of them.
    """
    return [_item(row, name, path, modality) for row, (name, path) in enumerate(_named(evidence))]


def items_in(
    data: Any, evidence: Evidence, predictor: Predictor, *, input_col: Any, store: Store, progress: Progress
) -> Found:
    """The items of a fit in data that lie elsewhere now, known by their content; None for those that are not there.

    Raises DataError where the data cannot be read.
    """
    dataset = read_for(predictor.backbone, data, labelled=None, input_col=input_col)
    rows, good, _ = row_keys(dataset, store.file_rows, progress)
    places = {rows[at]: at for at in np.flatnonzero(good).tolist()}
    found = [places.get(key) for key in evidence.rows]
    return [None if at is None else replace(dataset.inputs[at], row=row) for row, at in enumerate(found)]


def features_of(
    predictor: Predictor, evidence: Evidence, items: Sequence[Item | None], *, store: Store, progress: Progress
) -> dict[str, np.ndarray]:
    """By target what its head reads of each item, (n, d); NaN where it is neither stored nor can be computed.

    Rows that the store no longer has are computed again from the items. Of more than a GiB of features an even
    sample of the rows is read.
    """
    if isinstance(predictor.backbone, JoinedBackbone):
        return _of_pairs(predictor, evidence, items, store, progress)
    backbone = predictor.backbone
    table = store.table(network_key(backbone), network_about(backbone))
    keys = [column_key(backbone, column) for column in predictor.columns]
    missing = np.flatnonzero(table.missing(keys, evidence.rows)).tolist()
    again = [item for item in (items[row] for row in missing) if item is not None]
    if again:
        predictor.features(Dataset("", again, modality=backbone.modality), store, progress=progress)
        table.refresh()
    there = np.flatnonzero(~table.missing(keys, evidence.rows))
    if not len(there):
        return {}
    width = sum(as_matrix(table.read(key, [evidence.rows[int(there[0])]])).shape[1] for key in keys)
    there = there[:: -(-len(there) * width // MOST_NUMBERS)]
    rows = [evidence.rows[row] for row in there.tolist()]
    parts = [as_matrix(table.read(key, rows)) for key in keys]
    return {
        target.name: _spread(np.hstack([parts[i] for i in target.columns]), there, len(evidence))
        for target in predictor.manifest.targets
    }


def _of_pairs(
    predictor: Predictor, evidence: Evidence, items: Sequence[Item | None], store: Store, progress: Progress
) -> dict[str, np.ndarray]:
    """Pairs have no rows of their own in the store: those that can be read are extracted, from stored halves."""
    known = [item for item in items if item is not None]
    if not known:
        return {}
    features = predictor.features(Dataset("", known, modality=predictor.backbone.modality), store, progress=progress)
    rows = np.array([features.dataset.inputs[i].row for i in range(len(features))])
    return {
        target.name: _spread(predictor.matrix(features, target), rows, len(evidence))
        for target in predictor.manifest.targets
    }


def _spread(values: np.ndarray, rows: np.ndarray, total: int) -> np.ndarray:
    whole = np.full((total, values.shape[1]), np.nan, np.float32)
    whole[rows] = values
    return whole


def _named(evidence: Evidence) -> zip[tuple[str, str]]:
    return zip(evidence.inputs, evidence.paths, strict=True)


def _item(row: int, name: str, path: str, modality: str) -> Item | None:
    if path:
        return Item(row, name, "file", Path(path)) if Path(path).is_file() else None
    return Item(row, name, "text", name) if modality == "text" else None
