"""Features into a file: Parquet, Arrow, NumPy or safetensors, a piece at a time where the format allows it."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from icecore.data import printable
from icecore.errors import UsageError
from icecore.features.result import Features
from icecore.prefix import Column

_PIECE_BYTES, _PIECE_ROWS = 16 << 20, 2048
_TAKEN = ("row", "input", "file")  # columns of ours, and a parameter of `np.savez`


def write(features: Features, path: Path) -> None:
    """Write features to a file whose ending says the format.

    `.parquet` and `.arrow` (also `.feather`) hold a line for each good item: `row` (its position in the data as
    given), `input`, the targets as `target:NAME`, and one column a layer, with its shape beside it where it was not
    pooled. `.npz` and `.safetensors` hold an array for each layer and `row`. `.npy` holds one layer, with the line of
    every item at its own position and NaN for those set aside.

    Raises UsageError for other endings, for `.npy` with several layers, for one array of rows that differ in shape,
    and where the file cannot be written.
    """
    writer = writer_for(path)
    if path.suffix == ".npy" and len(features.columns) > 1:
        raise UsageError(
            f"{path.name} can hold one layer, and {len(features.columns)} were asked for.",
            do="Name one layer, or write .npz, .parquet, .arrow or .safetensors.",
        )
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(features, aside)
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", do="Choose another place.") from error
    finally:
        with suppress(OSError):  # it has been renamed, or could not be made
            aside.unlink()


def writer_for(path: Path) -> Callable[[Features, Path], None]:
    """The function that writes a format. Raises UsageError, before any work, where there is none."""
    if path.suffix not in _WRITERS:
        raise UsageError(
            f"{path.name!r} has no ending that says its format.", expected=f"One of {', '.join(_WRITERS)}."
        )
    return _WRITERS[path.suffix]


def names(features: Features) -> dict[Column, str]:
    """A name for each column: the layer's, with the pooling where one layer was pooled in several ways.

    A layer whose name means something else in files (`row`, `input`) gets `layer:` before it.
    """
    layers = [column.layer for column in features.columns]
    found = {c: c.layer if layers.count(c.layer) == 1 else f"{c.layer}:{c.pooling}" for c in features.columns}
    return {column: f"layer:{name}" if name in _TAKEN else name for column, name in found.items()}


def _pieces(features: Features) -> Iterator[Features]:
    """A few items at a time; one piece without any where there are none."""
    floats = sum(math.prod(features.shape(column)) for column in features.columns)
    step = max(1, min(_PIECE_ROWS, _PIECE_BYTES // max(1, 4 * floats)))
    for start in range(0, max(len(features), 1), step):
        yield features.take(np.arange(start, min(start + step, len(features))))


def _positions(features: Features) -> np.ndarray:
    return np.fromiter((item.row for item in features.dataset.inputs), np.int64, len(features))


def _tables(features: Features) -> Iterator[pa.Table]:
    kinds = {name: _kind(values) for name, values in features.dataset.targets.items()}
    for part in _pieces(features):
        columns: dict[str, Any] = {
            "row": pa.array(_positions(part)),
            "input": pa.array([item.name for item in part.dataset.inputs], pa.string()),
        }
        columns |= {f"target:{name}": _targets(part.dataset.targets[name], kind) for name, kind in kinds.items()}
        for column, name in names(part).items():
            columns |= _arrow(name, part.read(column))
        yield pa.table(columns)


def _kind(values: np.ndarray) -> Any:
    """One Arrow type for a whole column of targets; text where they have no other type in common."""
    try:
        kind = pa.array(values.tolist()).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return pa.string()
    return pa.string() if pa.types.is_null(kind) else kind


def _targets(values: np.ndarray, kind: Any) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array([None if value is None else printable(str(value)) for value in values.tolist()], kind)
    return pa.array(values.tolist(), kind)


def _arrow(name: str, values: np.ndarray | list[np.ndarray]) -> dict[str, pa.Array]:
    if isinstance(values, np.ndarray) and values.shape[1]:
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
    bad = [item.row for item in features.bad]
    size = 1 + max(int(_positions(features).max(initial=-1)), *bad, -1)
    shape = features.shape(column)
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, *shape))
    whole[:] = np.nan
    for part in _pieces(features) if len(features) else ():
        whole[_positions(part)] = _dense(part.read(column), shape)
    whole.flush()


def _npz(features: Features, path: Path) -> None:
    np.savez(path, **_arrays(features))


def _safetensors(features: Features, path: Path) -> None:
    save_file({name: np.ascontiguousarray(value) for name, value in _arrays(features).items()}, path)


def _arrays(features: Features) -> dict[str, Any]:
    layers = {name: _dense(features.read(column), features.shape(column)) for column, name in names(features).items()}
    return {**layers, "row": _positions(features)}


def _dense(values: np.ndarray | list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """One array (n, *shape). Raises UsageError where rows have other shapes."""
    if isinstance(values, np.ndarray):
        return values
    others = {value.shape for value in values} - {shape}
    if others:
        raise UsageError(
            f"One item's features have the shape {shape}, another's {others.pop()}, which one array cannot hold.",
            do="Write .parquet or .arrow, or choose a pooling.",
        )
    return np.stack(values) if values else np.empty((0, *shape), np.float32)


_WRITERS: dict[str, Callable[[Features, Path], None]] = {
    ".parquet": _parquet,
    ".arrow": _ipc,
    ".feather": _ipc,
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
