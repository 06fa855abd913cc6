"""A fitted model scored on labelled data: whose labels they are, and which rows it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from icecore.api.guessing import read_for
from icecore.api.labels import columns_of, require_items, table_columns, values_of
from icecore.api.reports import Metrics
from icecore.artifact import Predictor, TargetRef
from icecore.data import Dataset, read
from icecore.errors import DataError
from icecore.evaluation import duplicate_groups
from icecore.features import Features
from icecore.tasks import task_of

Targets = str | Sequence[str] | None


def read_labelled(data: Any, y: Any, target: Targets, input_col: Targets, predictor: Predictor) -> Dataset:
    """Labelled data without the rows of given `train` and `val` splits; its notes say so. Raises DataError.

    A table's columns that are called like the model's targets are taken; where there are none, it is guessed as in fit.
    """
    own, y = table_columns(predictor.manifest.targets), columns_of(y, predictor.manifest.targets)
    options: dict[str, Any] = {"input_col": input_col, "labelled": True}
    if y is None and target is None:
        with suppress(DataError):
            return _unseen(read(data, target=own, modality=predictor.manifest.modality, **options))
    return _unseen(read_for(predictor.backbone, data, y=y, target=target, **options))


def score(predictor: Predictor, features: Features) -> dict[str, Metrics]:
    """Figures of every target, by its name. Raises DataError where the labels are none of the model's."""
    targets = predictor.manifest.targets
    require_items(features)
    given = values_of(features.dataset.targets, targets)
    return {target.name: _scored(predictor, features, target, given[target.name]) for target in targets}


def seen_before(predictor: Predictor, features: Features, name: str = "The model") -> tuple[str, ...]:
    """A sentence where a model was fitted on items of the data; nothing where that is not known."""
    known = predictor.seen
    count = sum(row in known for row in features.rows) if known else 0
    return (f"{name} was fitted on {count:,} of these items: that flatters it.",) if count else ()


def _scored(predictor: Predictor, features: Features, target: TargetRef, values: np.ndarray) -> Metrics:
    task = task_of(target.task, target.classes)
    said = predictor.says(features, target)
    return task.metrics(task.encode(values.tolist(), target.name), said, groups=duplicate_groups(features.origins))


def _unseen(dataset: Dataset) -> Dataset:
    if dataset.splits is None or "test" not in dataset.splits.tolist():
        return dataset
    told = replace(dataset, notes=(*dataset.notes, "Scored on the test split of the data."))
    return told.take(dataset.splits == "test")
