"""Look at a backbone, a saved model or a data set without changing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icecore.api.guessing import read_as_any
from icecore.api.options import open_progress
from icecore.api.pretrained import PretrainedModel
from icecore.artifact import MANIFEST, Manifest, read_manifest, warnings
from icecore.backbones import Layer, Licence
from icecore.data import BadItem, Dataset, Item, load
from icecore.errors import BadItemError
from icecore.evaluation import duplicate_groups
from icecore.features import Progress
from icecore.tasks import Multilabel, Regression, guessed, labels_in

_THREADS = 4


@dataclass(frozen=True, slots=True)
class BackboneInfo:
    """What is known of a backbone without data; `parameters` is None where no count is to be had."""

    id: str
    modality: str
    source: str
    licence: Licence
    parameters: int | None
    preprocessing: Mapping[str, Any]
    notes: tuple[str, ...]
    blocks: list[str]
    layers: list[Layer]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A saved model's manifest, and what must be said aloud of it."""

    path: Path
    manifest: Manifest
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class NumbersInfo:
    """The numbers of a target: the least, the mean, the largest, and their standard deviation."""

    least: float
    mean: float
    most: float
    spread: float

    @staticmethod
    def of(y: np.ndarray) -> NumbersInfo:
        """Of numbers (n,)."""
        return NumbersInfo(float(y.min()), float(y.mean()), float(y.max()), float(y.std()))


@dataclass(frozen=True, slots=True)
class DataInfo:
    """A data set, every item of it decoded.

    Attributes:
        items: number of good items.
        classes: for each target of classes or labels, how many items of each.
        numbers: for each target that holds numbers, what is known of them.
        splits: how many items of each given split; empty where none is given.
        duplicates: number of items that equal an earlier one.
        conflicts: names of items that equal an earlier one and have another label.
        bad: what was set aside, with row and reason.
    """

    source: str
    modality: str
    items: int
    classes: dict[str, dict[Any, int]]
    numbers: dict[str, NumbersInfo]
    splits: dict[str, int]
    duplicates: int
    conflicts: list[str]
    bad: list[BadItem]
    notes: tuple[str, ...]


def inspect(
    what: Any,
    *,
    preprocess: Any = None,
    target: str | list[str] | None = None,
    input_col: str | Sequence[str] | None = None,
    trust_remote_code: bool = False,
    progress: Progress | bool = True,
) -> BackboneInfo | ModelInfo | DataInfo:
    """Look at a backbone id, a saved model or a data set; which of them it is shows by itself.

    Args:
        what: the id, folder, file or Python object.
        preprocess: for a backbone that carries none.
        target: for a table, its label columns.
        input_col: for a table, the column with the inputs.
        trust_remote_code: see `PretrainedModel.load`.
        progress: show it on standard error while a data set is decoded.

    Raises what loading a backbone or reading data raises.
    """
    if isinstance(what, str | Path):
        path = Path(what).expanduser()
        if (path / MANIFEST).is_file():
            manifest = read_manifest(path)
            return ModelInfo(path, manifest, warnings(manifest))
        if not path.exists() or _holds_a_network(path):
            net = PretrainedModel.load(str(what), preprocess=preprocess, trust_remote_code=trust_remote_code)
            return _backbone(net)
    dataset = read_as_any(what, target=target, input_col=input_col)
    return _data(dataset, open_progress(progress))


def _holds_a_network(path: Path) -> bool:
    weights = (".safetensors", ".pt", ".pth", ".th", ".onnx", ".keras", ".h5", ".tflite")
    folder = any((path / name).is_file() for name in ("config.json", "saved_model.pb"))
    return folder or path.suffix in weights


def _backbone(net: PretrainedModel) -> BackboneInfo:
    return BackboneInfo(
        id=net.id,
        modality=net.modality,
        source=net.backbone.source,
        licence=net.licence,
        parameters=parameters_of(net.backbone),
        preprocessing=net.preprocessing,
        notes=net.backbone.notes,
        blocks=net.blocks,
        layers=net.layers(),
    )


def parameters_of(backbone: Any) -> int | None:
    """How many a network has, None where they are out of sight, as those of a server; of joined ones together."""
    counts = [_parameters(part) for part in getattr(backbone, "parts", {"": backbone}).values()]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _parameters(backbone: Any) -> int | None:
    module = getattr(backbone, "module", None)
    counted: int | None = getattr(backbone, "parameters", None)
    return counted if module is None else sum(value.numel() for value in module.parameters())


def _data(dataset: Dataset, progress: Progress) -> DataInfo:
    rows, bad = _decoded(dataset, progress)
    good = np.array([row is not None for row in rows], dtype=bool)
    kept = dataset.take(good)
    numeric = {name: values for name, values in kept.targets.items() if guessed(values.tolist()) == Regression.name}
    numbers = {name: NumbersInfo.of(Regression().encode(values.tolist(), name)) for name, values in numeric.items()}
    groups = duplicate_groups([row for row in rows if row is not None])
    return DataInfo(
        source=dataset.source,
        modality=dataset.modality,
        items=len(kept),
        classes={name: _counts(values.tolist()) for name, values in kept.targets.items() if name not in numbers},
        numbers=numbers,
        splits={} if kept.splits is None else dict(Counter(kept.splits.tolist())),
        duplicates=len(groups) - len(set(groups.tolist())),
        conflicts=_conflicts(kept, groups),
        bad=sorted([*dataset.bad, *bad], key=lambda item: item.row),
        notes=dataset.notes,
    )


def _counts(values: Sequence[Any]) -> dict[Any, int]:
    """How many items of each class, or of each label where a row has several."""
    if guessed(values) == Multilabel.name:
        values = [label for value in values for label in labels_in(value)]
    return dict(sorted(Counter(values).items()))


def _decoded(dataset: Dataset, progress: Progress) -> tuple[list[bytes | None], list[BadItem]]:
    rows: list[bytes | None] = []
    bad: list[BadItem] = []
    items = [dataset.inputs[i] for i in range(len(dataset))]

    def look(item: Item) -> tuple[bytes | None, str]:
        try:
            return load(item, dataset.modality)[0], ""
        except BadItemError as error:
            return None, str(error)

    with progress.task("reading", len(items)) as task, ThreadPoolExecutor(_THREADS) as pool:
        for item, (row, reason) in zip(items, pool.map(look, items), strict=True):
            rows.append(row)
            if row is None:
                bad.append(BadItem(item.row, item.name, reason))
            task.advance(1)
    return rows, bad


def _conflicts(dataset: Dataset, groups: np.ndarray) -> list[str]:
    names = []
    for values in dataset.targets.values():
        first: dict[int, Any] = {}
        for i, (group, label) in enumerate(zip(groups.tolist(), values.tolist(), strict=True)):
            if first.setdefault(group, label) != label:
                names.append(dataset.inputs[i].name)
    return names
