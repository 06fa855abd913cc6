"""What a fit saw and how it did on each item, kept beside the model: an Arrow file, read when it is first asked for.

Whatever is said of a model after its fit (a report, prediction sets, a comparison with another model on the rows that
both were scored on) is computed from this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from icecore.data import Item
from icecore.errors import ArtifactError
from icecore.evaluation import Suspect, suspects, usual_odds
from icecore.keys import DIGEST_SIZE

EVIDENCE = "evidence.arrow"
SHOWN = 500  # signs of a text that are kept
_VERSION = 1
_ABOUT = b"icecore"


@dataclass(frozen=True)
class TargetEvidence:
    """One target of a fit, item by item.

    Attributes:
        name: of the target.
        task: `classification` and so on, as in the manifest.
        classes: labels, in the order of the probabilities.
        y: (n,) class codes; numbers for a regression; (n, k) 0 and 1 for several labels a row.
        proba: (n, k) probabilities by models that have not seen the item, averaged over repeats; NaN in rows that are
            not scored. Of a regression (n, 1) values.
        scored: (n,) whether the item's prediction took no part in choice and fit.
        opinions: (n, k) what several heads that have not seen the item say on average, to judge its label by; NaN
            where there is nothing. None where that was not asked: the probabilities stand in for it.
    """

    name: str
    task: str
    classes: tuple[Any, ...]
    y: np.ndarray
    proba: np.ndarray
    scored: np.ndarray
    opinions: np.ndarray | None = None

    def suspects(self) -> list[Suspect]:
        """The items whose label is likely wrong, the surest first."""
        if self.opinions is None:
            return suspects(self.y, self.proba, self.scored, odds=2 * usual_odds(self.proba.shape[1]))
        return suspects(self.y, self.opinions)


@dataclass(frozen=True)
class Evidence:
    """The items of a fit.

    Attributes:
        rows: the content key of each, n of them, in the order of the data: what the store addresses.
        inputs: the name of each: a path as it was given, or a text, cut at 500 signs.
        paths: the absolute path of each that is a file of its own, else "".
        groups: (n,) equal for items that must not straddle.
        splits: (n,) given split names; None where there were none.
        targets: by name.
        spent: what extracting the features cost: `computed` and `reused` rows, `seconds` in all, `parameters` of the
            network; empty, or without one of these, where it is not known.
    """

    rows: Sequence[bytes]
    inputs: list[str]
    paths: list[str]
    groups: np.ndarray
    splits: np.ndarray | None
    targets: Mapping[str, TargetEvidence]
    spent: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


def named(items: Sequence[Item]) -> tuple[list[str], list[str]]:
    """`inputs` and `paths` of items, as evidence keeps them."""
    listed = [items[i] for i in range(len(items))]
    return [item.name[:SHOWN] for item in listed], [_path(item) for item in listed]


def write_evidence(evidence: Evidence, folder: Path, fingerprint: str) -> None:
    """Write it into a model's folder, for data of this fingerprint. Paths that are no UTF-8 are left out."""
    columns: dict[str, Any] = {
        "row": pa.array(list(evidence.rows), pa.binary(DIGEST_SIZE)),
        "input": pa.array(evidence.inputs, pa.string()),
        "path": pa.array([_writable(path) for path in evidence.paths], pa.string()),
        "group": pa.array(np.asarray(evidence.groups, np.int64)),
    }
    if evidence.splits is not None:
        columns["split"] = pa.array(evidence.splits.tolist(), pa.string())
    for number, target in enumerate(evidence.targets.values()):
        columns[f"{number}.y"] = _column(target.y)
        columns[f"{number}.proba"] = _column(target.proba.astype(np.float32))
        columns[f"{number}.scored"] = pa.array(target.scored)
        if target.opinions is not None:
            columns[f"{number}.opinions"] = _column(target.opinions.astype(np.float32))
    targets = [{"name": t.name, "task": t.task, "classes": list(t.classes)} for t in evidence.targets.values()]
    about = json.dumps(
        {"version": _VERSION, "fingerprint": fingerprint, "targets": targets, "spent": dict(evidence.spent)}
    )
    table = pa.table(columns).replace_schema_metadata({_ABOUT: about.encode()})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(str(folder / EVIDENCE), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as writer,
    ):
        writer.write_table(table)


def read_evidence(file: Path, fingerprint: str) -> Evidence:
    """Read it back. Raises ArtifactError where it is damaged, newer, or belongs to other data."""
    try:
        with pa.OSFile(str(file), "rb") as source:
            table = pa.ipc.open_file(source).read_all()
        about = json.loads(table.schema.metadata[_ABOUT])
        reason = _unfit(about, fingerprint)
        if not reason:
            return _evidence(table, about["targets"], about.get("spent", {}))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        reason = f"it is damaged ({type(error).__name__})"
    raise ArtifactError(
        f"{file} cannot be used: {reason}.",
        do="Copy the model again, or fit again; without this file the model still predicts.",
    )


def _unfit(about: Mapping[str, Any], fingerprint: str) -> str:
    if about["version"] != _VERSION:
        return f"it has version {about['version']}, and this icecore reads {_VERSION}"
    return "" if about["fingerprint"] == fingerprint else "it was saved with another model"


def _evidence(table: pa.Table, targets: Sequence[Mapping[str, Any]], spent: Mapping[str, float]) -> Evidence:
    found = [
        TargetEvidence(
            target["name"],
            target["task"],
            tuple(target["classes"]),
            _array(table[f"{number}.y"]),
            _array(table[f"{number}.proba"]),
            _array(table[f"{number}.scored"]),
            _array(table[f"{number}.opinions"]) if f"{number}.opinions" in table.column_names else None,
        )
        for number, target in enumerate(targets)
    ]
    return Evidence(
        rows=table["row"].to_pylist(),
        inputs=table["input"].to_pylist(),
        paths=table["path"].to_pylist(),
        groups=_array(table["group"]),
        splits=np.array(table["split"].to_pylist(), dtype=object) if "split" in table.column_names else None,
        targets={target.name: target for target in found},
        spent=spent,
    )


def _column(values: np.ndarray) -> pa.Array:
    """(n,) numbers as they are, (n, k) as lists of k."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _array(column: pa.ChunkedArray) -> np.ndarray:
    whole = column.combine_chunks()
    if not pa.types.is_fixed_size_list(whole.type):
        return np.array(whole.to_numpy(zero_copy_only=False))
    return np.array(whole.flatten().to_numpy(zero_copy_only=False)).reshape(len(whole), whole.type.list_size)


def _path(item: Item) -> str:
    """The file of an item that is one, absolute."""
    return str(item.value.absolute()) if item.kind == "file" and isinstance(item.value, Path) else ""


def _writable(path: str) -> str:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return ""
    return path
