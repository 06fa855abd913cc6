"""Hugging Face data sets: in memory (`Dataset`, `DatasetDict`), or folders that `save_to_disk` wrote.

The Arrow tables are taken as they are, mapped into memory, so nothing is copied or decoded. The `datasets` library is
not imported: a folder is plain Arrow, and who hands over an object has imported it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icecore.data.assemble import assemble
from icecore.data.columns import roles, split_name
from icecore.data.items import Dataset, printable
from icecore.data.tuples import input_values
from icecore.data.values import ArrowValues, ListValues, TakenValues, Values
from icecore.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icecore.data.readers import ReadOptions

_KINDS = {"Image": "image", "Audio": "sound"}  # modalities, by the name of a feature
_SPLITS, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


@dataclass(frozen=True, slots=True)
class _Split:
    """One table: its columns' features in JSON form, and which of its rows, all where None."""

    name: str
    table: pa.Table
    features: Mapping[str, Any]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.table.num_rows if self.rows is None else len(self.rows)


class HuggingFaceReader:
    """Reads a `Dataset`, the splits of a `DatasetDict` one after another, or either of them as saved.

    Class labels are read as their names. Of splits that are not train, validation or test nothing is taken when
    labels are wanted.
    """

    def accepts(self, source: Any) -> bool:
        """An object of the library `datasets`, or a folder that its `save_to_disk` wrote."""
        if isinstance(source, str | os.PathLike):
            return _is_saved(Path(source))
        return type(source).__module__.partition(".")[0] == "datasets" and hasattr(source, "column_names")

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """Raises DataError for a streamed or damaged data set, and where a column that is needed is not there."""
        if isinstance(source, str | os.PathLike):
            name, splits = printable(str(source)), _saved(Path(source))
        else:
            name, splits = f"the {type(source).__name__}", _in_memory(source)
        return _read(name, splits, options)


reader = HuggingFaceReader()


def _read(name: str, splits: list[_Split], options: ReadOptions) -> Dataset:
    splits, left_out = _chosen(splits, options)
    features = {column: feature for split in reversed(splits) for column, feature in split.features.items()}
    columns = _columns(name, splits)
    media = None if options.input_col else _media(features, options.modality.name)
    chosen = roles(columns, replace(options, input_col=media or options.input_col), source=name, base="")
    _require_kind(name, features, chosen.input, options)
    notes = (*((f"Took {media!r} for the input column.",) if media else ()), *chosen.notes, *left_out)
    words = [split.name for split in splits for _ in range(len(split))]
    own = columns[chosen.split] if chosen.split else None
    return assemble(
        input_values(columns, chosen.input),
        options,
        source=name,
        targets={target: columns[target] for target in chosen.targets},
        splits=ListValues(words) if any(split_name(split.name) for split in splits) else own,
        groups=columns[chosen.group] if chosen.group else None,
        notes=notes,
    )


def _chosen(splits: list[_Split], options: ReadOptions) -> tuple[list[_Split], tuple[str, ...]]:
    """The splits to read: where some are train, validation or test, and labels are wanted, only these."""
    known = [split for split in splits if split_name(split.name)]
    if options.labelled is False or not known:
        return splits, ()
    others = [f"{split.name!r} ({len(split):,} rows)" for split in splits if not split_name(split.name)]
    return known, (f"Left out {', '.join(others)}: not train, validation or test.",) if others else ()


def _columns(name: str, splits: list[_Split]) -> dict[str, Values]:
    tables = [_plain(split) for split in splits]
    try:
        table = pa.concat_tables(tables, promote_options="default")
    except pa.ArrowInvalid as error:
        raise DataError(f"The splits of {name} do not have the same columns: {error}.") from error
    if table.num_rows == 0:
        raise DataError(f"{name} has no rows.")
    columns: dict[str, Values] = {column: ArrowValues(table.column(column)) for column in table.column_names}
    if all(split.rows is None for split in splits):
        return columns
    starts = np.cumsum([0, *(table.num_rows for table in tables)])
    rows = [np.arange(split.table.num_rows) if split.rows is None else split.rows for split in splits]
    index = np.concatenate([start + own for start, own in zip(starts, rows, strict=False)])
    return {column: TakenValues(values, index) for column, values in columns.items()}


def _plain(split: _Split) -> pa.Table:
    """The table with class labels, and lists of them, as their names; -1, for which there is none, as null."""
    table = split.table.replace_schema_metadata(None)
    for place, column in enumerate(table.column_names):
        feature = split.features.get(column)
        names, several = _class_names(feature), _class_names(_of_each(feature))
        if names is not None and pa.types.is_integer(table.column(column).type):
            table = table.set_column(place, column, _named(table.column(column), names))
        elif several is not None:
            table = table.set_column(place, column, _named_lists(table.column(column), several))
    return table


def _named(numbers: pa.ChunkedArray, names: list[str]) -> pa.ChunkedArray:
    known = pc.if_else(pc.less(numbers, 0), None, numbers)
    return pa.chunked_array([pc.take(pa.array(names), chunk) for chunk in known.chunks], pa.string())


def _named_lists(numbers: pa.ChunkedArray, names: list[str]) -> pa.ChunkedArray:
    rows = numbers.to_pylist()
    named = [None if row is None else [names[number] for number in row if number >= 0] for row in rows]
    return pa.chunked_array([named], pa.list_(pa.string()))


def _of_each(feature: Any) -> Any:
    """The feature of the elements of a list; None of what is none."""
    if isinstance(feature, list) and len(feature) == 1:
        return feature[0]
    return feature.get("feature") if isinstance(feature, Mapping) else None


def _class_names(feature: Any) -> list[str] | None:
    is_classes = isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel"
    return feature.get("names") if is_classes else None


def _media(features: Mapping[str, Any], modality: str) -> str | None:
    """The one column whose feature is of the modality: `Image`, `Audio`."""
    found = [name for name, feature in features.items() if _kind(feature) == modality]
    return found[0] if len(found) == 1 else None


def _kind(feature: Any) -> str | None:
    """The modality that a feature names; None where it names none."""
    return _KINDS.get(feature.get("_type", "")) if isinstance(feature, Mapping) else None


def _require_kind(name: str, features: Mapping[str, Any], inputs: str | tuple[str, ...], options: ReadOptions) -> None:
    """Raise DataError where the column of inputs holds another kind of media."""
    kind = _kind(features.get(inputs)) if isinstance(inputs, str) else None
    if kind not in (None, options.modality.name):
        raise DataError(
            f"The column {inputs!r} of {name} is of the kind {kind}, and {options.modality.noun} are wanted.",
            do=f"Choose a network for {kind}s, or another column with --input-col (input_col=).",
        )


def _in_memory(source: Any) -> list[_Split]:
    if isinstance(source, Mapping):
        return [split for name, part in source.items() for split in _of_object(part, str(name))]
    return _of_object(source, "")


def _of_object(source: Any, name: str) -> list[_Split]:
    if not hasattr(source, "data"):
        raise DataError(
            f"Got a {type(source).__name__}, which is streamed and can be read only once.",
            expected="A data set whose rows can be asked for in any order.",
            do="Load it without streaming=True.",
        )
    rows = getattr(source, "_indices", None)  # of shuffle, select and filter; there is no public name for it
    index = None if rows is None else rows.column(0).to_numpy().astype(np.int64)
    return [_Split(name, source.data.table, source.features.to_dict(), index)]


def _is_saved(path: Path) -> bool:
    return (path / _SPLITS).is_file() or ((path / _STATE).is_file() and (path / _INFO).is_file())


def _saved(folder: Path) -> list[_Split]:
    try:
        if not (folder / _SPLITS).is_file():
            return [_of_folder(folder, "")]
        return [_of_folder(folder / name, name) for name in _json(folder / _SPLITS)["splits"]]
    except (OSError, ValueError, KeyError) as error:  # ArrowInvalid and JSON errors are ValueErrors
        first = str(error).partition("\n")[0].rstrip(".")
        raise DataError(
            f"The data set saved in {printable(str(folder))} cannot be read: {first}.",
            expected="A folder as save_to_disk of the library datasets writes it.",
            do="Save it again.",
        ) from error


def _of_folder(folder: Path, name: str) -> _Split:
    state = _json(folder / _STATE)
    if state.get("_indices_data_files"):
        raise ValueError("an old version of datasets saved it together with a choice of rows")
    tables = [_mapped(folder / file["filename"]) for file in state["_data_files"]]
    return _Split(name, pa.concat_tables(tables), _json(folder / _INFO).get("features") or {})


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
