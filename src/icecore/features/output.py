"""Features into a file: Parquet, Arrow, NumPy or safetensors, a piece at a time where the format allows it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from icecore.errors import UsageError
from icecore.features.result import Features
from icecore.prefix import Column

_TOGETHER = 2048


def write(features: Features, path: Path) -> None:
    """Write features to a file whose ending says the format.

    `.parquet` and `.arrow` (also `.feather`) hold a line for each good item: `row` (its position in the data as
    given), `input`, the targets, and one column a layer. `.npz` and `.safetensors` hold an array for each layer and
    `row`. `.npy` holds one layer, with the line of every item at its own position and NaN for those set aside.

    Raises UsageError for other endings, and for `.npy` with several layers.
    """
    writer = writer_for(path)
    if path.suffix == ".npy" and len(features.columns) > 1:
        raise UsageError(
            f"{path.name} can hold one layer, and {len(features.columns)} were asked for.",
            do="Name one layer, or write .npz, .parquet, .arrow or .safetensors.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        writer(features, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def writer_for(path: Path) -> Callable[[Features, Path], None]:
    """The function that writes a format. Raises UsageError, before any work, where there is none."""
    if path.suffix not in _WRITERS:
        raise UsageError(
            f"{path.name!r} has no ending that says its format.", expected=f"One of {', '.join(_WRITERS)}."
        )
    return _WRITERS[path.suffix]


def names(features: Features) -> dict[Column, str]:
    """A name for each column: the layer's, with the pooling where one layer was pooled in several ways."""
    layers = [column.layer for column in features.columns]
    return {c: c.layer if layers.count(c.layer) == 1 else f"{c.layer}:{c.pooling}" for c in features.columns}


def _positions(features: Features) -> np.ndarray:
    return np.array([features.dataset.inputs[i].row for i in range(len(features))], dtype=np.int64)


def _tables(features: Features) -> Iterator[pa.Table]:
    for start in range(0, max(len(features), 1), _TOGETHER):
        part = features.take(np.arange(start, min(start + _TOGETHER, len(features))))
        items = [part.dataset.inputs[i] for i in range(len(part))]
        columns: dict[str, Any] = {
            "row": pa.array([item.row for item in items], pa.int64()),
            "input": pa.array([item.name for item in items], pa.string()),
        }
        columns |= {f"target:{name}": pa.array(values.tolist()) for name, values in part.dataset.targets.items()}
        for column, name in names(features).items():
            columns |= _arrow(name, part.read(column))
        yield pa.table(columns)


def _arrow(name: str, values: np.ndarray | list[np.ndarray]) -> dict[str, pa.Array]:
    if isinstance(values, np.ndarray):
        return {name: pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])}
    return {
        name: pa.array([value.reshape(-1) for value in values], pa.list_(pa.float32())),
        f"{name}:shape": pa.array([list(value.shape) for value in values], pa.list_(pa.int32())),
    }


def _parquet(features: Features, path: Path) -> None:
    tables = _tables(features)
    first = next(tables)
    with pq.ParquetWriter(path, first.schema) as file:
        file.write_table(first)
        for table in tables:
            file.write_table(table)


def _ipc(features: Features, path: Path) -> None:
    tables = _tables(features)
    first = next(tables)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, first.schema) as file:
        file.write_table(first)
        for table in tables:
            file.write_table(table)


def _npy(features: Features, path: Path) -> None:
    column = next(iter(features.columns))
    values = _dense(features.read(column))
    size = len(features) + len(features.bad)
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, *values.shape[1:]))
    whole[:] = np.nan
    whole[_positions(features)] = values
    whole.flush()


def _npz(features: Features, path: Path) -> None:
    np.savez(path, **_arrays(features))


def _safetensors(features: Features, path: Path) -> None:
    save_file({name: np.ascontiguousarray(value) for name, value in _arrays(features).items()}, path)


def _arrays(features: Features) -> dict[str, Any]:
    layers = {name: _dense(features.read(column)) for column, name in names(features).items()}
    return {**layers, "row": _positions(features)}


def _dense(values: np.ndarray | list[np.ndarray]) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    shapes = {value.shape for value in values}
    if len(shapes) > 1:
        raise UsageError(
            f"The items' features have {len(shapes)} different shapes, which one array cannot hold.",
            do="Write .parquet or .arrow, or choose a pooling.",
        )
    return np.stack(values) if values else np.empty((0,), np.float32)


_WRITERS: dict[str, Callable[[Features, Path], None]] = {
    ".parquet": _parquet,
    ".arrow": _ipc,
    ".feather": _ipc,
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
