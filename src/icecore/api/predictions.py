"""Predictions of one or several targets, as JSON and as files."""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from icecore.api.jsonable import bad_json
from icecore.artifact import Predictions
from icecore.errors import UsageError

_FORMATS = (".csv", ".tsv", ".parquet", ".jsonl")


def predictions_json(result: Mapping[str, Predictions]) -> dict[str, Any]:
    """What `icecore predict --json` prints. Several targets nest everything but the input."""
    first = next(iter(result.values()))
    if len(result) == 1:
        lines = [{"input": first.inputs[i], **_plain(first, i)} for i in range(len(first))]
    else:
        lines = [
            {"input": first.inputs[i], **{name: _plain(own, i) for name, own in result.items()}}
            for i in range(len(first))
        ]
    return {"predictions": lines, "bad_items": len(first.bad), "notes": list(predictions_notes(result))}


def _plain(predictions: Predictions, index: int) -> dict[str, Any]:
    return {**predictions[index].to_json(), **predictions.beside.to_json(index)}


def predictions_bad_json(result: Mapping[str, Predictions]) -> list[dict[str, Any]]:
    """The inputs that were set aside."""
    return bad_json(next(iter(result.values())).bad)


def predictions_notes(result: Mapping[str, Predictions]) -> tuple[str, ...]:
    """What is to be said aloud of the inputs."""
    return tuple(dict.fromkeys(note for predictions in result.values() for note in predictions.notes))


def write_predictions(result: Mapping[str, Predictions], path: Path) -> None:
    """Write a line for each good input: `row`, `input`, `label`, `probability` and `p:CLASS` (of several labels
    `labels`, of a number `value`, `low` and `high`), `set` where a coverage was asked for and `familiarity` where it is
    known; with several targets each name after the target's. The format is
    the file's ending. Raises UsageError for an unknown one, and where the file cannot be written.
    """
    require_format(path)
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(_lines(result), aside)
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", do="Choose another place.") from error
    finally:
        with suppress(OSError):  # it has been renamed, or could not be made
            aside.unlink()


def _write(lines: list[dict[str, Any]], path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            header = list(lines[0]) if lines else ["row", "input", "label", "probability"]
            writer = csv.DictWriter(file, header, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(lines)


def require_format(path: Path) -> None:
    """Raise UsageError, before any work, where the ending says no format."""
    if path.suffix not in _FORMATS:
        raise UsageError(
            f"{path.name!r} has no ending that says its format.", expected=f"One of {', '.join(_FORMATS)}."
        )


def _lines(result: Mapping[str, Predictions]) -> list[dict[str, Any]]:
    first = next(iter(result.values()))
    lines: list[dict[str, Any]] = [
        {"row": int(row), "input": name} for row, name in zip(first.rows, first.inputs, strict=True)
    ]
    for target, predictions in result.items():
        prefix = f"{target}." if len(result) > 1 else ""
        for index, (line, p) in enumerate(zip(lines, predictions, strict=True)):
            own = p.to_columns() | predictions.beside.to_columns(index)
            line |= {f"{prefix}{column}": value for column, value in own.items()}
    return lines
