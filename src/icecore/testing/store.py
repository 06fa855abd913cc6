"""Conformance checks for stores: what `features` relies on, asked through the public doors."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icecore.errors import StoreError, UsageError
from icecore.store import Store, Table

MakeStore = Callable[[Path], Store]


def check_store(make_store: MakeStore) -> None:
    """Check that a store does what icecore expects of one.

    Args:
        make_store: makes a store that keeps its data in the folder it is given. Called again with the same folder, as
            another process would, it makes a store that sees the same data.

    Raises:
        AssertionError: with what was expected, at the first expectation that does not hold.

    Example:
        >>> check_store(Store)
    """
    for check in _CHECKS:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            check(make_store, Path(folder))


def _check_order(make: MakeStore, root: Path) -> None:
    table, rows = make(root).table("check", {"network": "check"}), _rows(10)
    _append(table, rows[:6])
    _append(table, rows[6:])
    asked = [rows[i] for i in (9, 0, 4, 4, 7)]
    _same(table.read("c", asked), _values(asked), "rows come back in the order asked, repeated ones too")
    _same(make(root).table("check", {}).read("c", rows), _values(rows), "a store opened anew reads what was committed")


def _check_missing(make: MakeStore, root: Path) -> None:
    table, rows = make(root).table("check", {}), _rows(6)
    _same(table.missing(["c"], rows), [True] * 6, "in an empty table every row is missing")
    other = make(root).table("check", {})
    _append(table, rows[:4])
    for each in (table, other):
        _same(each.missing(["c"], rows), [False] * 4 + [True] * 2, "stored rows are not missing, for anyone")
    _same(table.missing(["c", "d"], rows), [True] * 6, "a row is missing when any of the columns lacks it")
    _raises(StoreError, lambda: table.read("c", rows), "reading a missing row is a StoreError")


def _check_first_wins(make: MakeStore, root: Path) -> None:
    table, rows = make(root).table("check", {}), _rows(3)
    _append(table, rows)
    table.append(rows, {"c": _values(rows) + 1}, {"c": {}}, {})
    _same(table.read("c", rows), _values(rows), "a row written twice is read as it was written first")


def _check_kinds(make: MakeStore, root: Path) -> None:
    table, rows = make(root).table("check", {}), _rows(3)
    half, ragged = _values(rows).astype(np.float16), [np.ones((i, 2), np.float32) for i in range(3)]
    table.append(rows, {"half": half, "ragged": ragged}, {"half": {"n": 1}, "ragged": {"n": 2}}, {"engine": "check"})
    read = table.read("half", rows)
    _same(read, half.astype(np.float32), "float16 is read back exactly")
    _expect(isinstance(read, np.ndarray) and read.dtype == np.float32, "values are read as float32")
    shapes = [row.shape for row in table.read("ragged", rows)]
    _expect(shapes == [(0, 2), (1, 2), (2, 2)], "rows of different shapes come back in their shapes")
    _expect(table.columns() == {"half": {"n": 1}, "ragged": {"n": 2}}, "columns say what they are")
    writers = [(by, at.tolist()) for by, at in table.writers("half", rows)]
    _expect(writers == [({"engine": "check"}, [0, 1, 2])], "what wrote each row is known")


def _check_refusals(make: MakeStore, root: Path) -> None:
    table = make(root).table("check", {})
    wide = np.ones((1, 2))
    _raises(UsageError, lambda: table.append([b"short"], {"c": wide}, {"c": {}}, {}), "row keys have 32 bytes")
    _raises(UsageError, lambda: table.append(_rows(1), {"c": wide}, {"c": {}}, {}), "float64 is refused")
    _raises(UsageError, lambda: table.append(_rows(2), {"c": _values(_rows(1))}, {"c": {}}, {}), "one value a row")
    _expect(make(root).tables() == [], "a refused append leaves nothing")


def _check_upkeep(make: MakeStore, root: Path) -> None:
    store, rows = make(root), _rows(20)
    table = store.table("check", {"network": "check"})
    for start in range(0, 20, 2):
        _append(table, rows[start : start + 4])
    (info,) = store.tables()
    _expect((info.key, info.rows, info.about) == ("check", 20, {"network": "check"}), "tables are listed")
    _expect(store.verify() == [], "sound parts verify")
    store.compact()
    _same(table.read("c", rows), _values(rows), "compaction loses no row, for those who have the table open either")
    store.prune(1 << 40)
    _same(table.missing(["c"], rows), [False] * 20, "pruning to a size that is not reached removes nothing")
    store.prune(0)
    _same(table.missing(["c"], rows), [True] * 20, "pruning to nothing leaves nothing")
    _append(table, rows)
    _same(table.read("c", rows), _values(rows), "pruned rows can be written again")


def _check_claims(make: MakeStore, root: Path) -> None:
    table, rows = make(root).table("check", {}), _rows(4)
    with table.claim(rows) as claim:
        _same(claim.mine, [True] * 4, "what nobody has claimed is one's own")
    with table.claim(rows) as claim:
        _same(claim.mine, [True] * 4, "a claim ends with its block")
        _expect(claim.wait_for_others(timeout=10) is True, "where nobody else claims there is nothing to wait for")


_CHECKS: tuple[Callable[[MakeStore, Path], None], ...] = (
    _check_order,
    _check_missing,
    _check_first_wins,
    _check_kinds,
    _check_refusals,
    _check_upkeep,
    _check_claims,
)


def _rows(n: int) -> list[bytes]:
    return [hashlib.sha256(bytes([i])).digest() for i in range(n)]


def _values(rows: Sequence[bytes]) -> NDArray[np.float32]:
    return np.array([list(row[:3]) for row in rows], np.float32)


def _append(table: Table, rows: Sequence[bytes]) -> None:
    table.append(rows, {"c": _values(rows)}, {"c": {"layer": "c"}}, {})


def _same(found: Any, wanted: Any, expectation: str) -> None:
    _expect(np.array_equal(found, wanted), expectation)


def _expect(holds: bool, expectation: str) -> None:
    if not holds:
        raise AssertionError(f"This should hold of a store: {expectation}.")


def _raises(kind: type[Exception], call: Callable[[], object], expectation: str) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"This should hold of a store: {expectation}.")
