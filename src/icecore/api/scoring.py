"""A fitted model scored on labelled data: whose labels they are, and which rows it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from icecore.api.guessing import read_for
from icecore.api.labels import codes_of, require_items
from icecore.api.reports import Metrics
from icecore.artifact import Predictor, TargetRef
from icecore.data import Dataset, read
from icecore.errors import DataError
from icecore.evaluation import duplicate_groups, metrics
from icecore.features import Features

Targets = str | Sequence[str] | None


def read_labelled(data: Any, y: Any, target: Targets, input_col: Targets, predictor: Predictor) -> Dataset:
    """Labelled data without the rows of given `train` and `val` splits; its notes say so. Raises DataError.

    A table's columns that are called like the model's targets are taken; where there are none, it is guessed as in fit.
    """
    own = [found.name for found in predictor.manifest.targets]
    options: dict[str, Any] = {"input_col": input_col, "labelled": True}
    if y is None and target is None:
        with suppress(DataError):
            return _unseen(read(data, target=own, modality=predictor.manifest.modality, **options))
    return _unseen(read_for(predictor.backbone, data, y=y, target=target, **options))


def score(predictor: Predictor, features: Features) -> dict[str, Metrics]:
    """Figures of every target, by its name. Raises DataError where the labels are none of the model's."""
    targets = predictor.manifest.targets
    require_items(features)
    given = _matched(features.dataset.targets, [target.name for target in targets])
    return {target.name: _scored(predictor, features, target, given[target.name]) for target in targets}


def _scored(predictor: Predictor, features: Features, target: TargetRef, values: np.ndarray) -> Metrics:
    codes = codes_of(values.tolist(), target.name, target.classes)
    proba = predictor.probabilities(features, target)
    return metrics(codes, proba, len(target.classes), groups=duplicate_groups(features.origins))


def _unseen(dataset: Dataset) -> Dataset:
    if dataset.splits is None or "test" not in dataset.splits.tolist():
        return dataset
    told = replace(dataset, notes=(*dataset.notes, "Scored on the test split of the data."))
    return told.take(dataset.splits == "test")


def _matched(given: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Labels by the model's own target names; with one of each, the names need not agree."""
    if len(given) == len(names) == 1:
        return {names[0]: next(iter(given.values()))}
    missing = [name for name in names if name not in given]
    if missing:
        raise DataError(
            f"The data has no column {', '.join(missing)}.", expected=f"The model's targets are {', '.join(names)}."
        )
    return {name: given[name] for name in names}
