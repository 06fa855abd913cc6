"""List, compact, prune."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecore.errors import UsageError
from icecore.store import CompactReport, PruneReport, Store, Table, TableInfo
from tests.store.rows import fill, flip, parts_of, rows_of, values_of

HOLDER = """
import contextlib, fcntl
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_SH)
say("held")
sys.stdin.readline()
"""


def age(part: Path, seconds: float) -> None:
    os.utime(part, (time.time() - seconds,) * 2)


def test_tables_are_listed_with_what_is_in_them(store: Store, table: Table):
    """The listing tells key, description, columns, distinct rows, parts, bytes and last use."""
    fill(table, range(5), "a")
    fill(table, range(3, 8), "b")
    paths = parts_of(table.folder)
    (info,) = store.tables()
    size = sum(path.stat().st_size for path in paths)
    want = TableInfo("resnet", {"network": "resnet"}, {"a": {"layer": "a"}, "b": {"layer": "b"}}, 8, 2, size, 0.0)
    assert replace(info, last_used=0.0) == want
    assert abs(info.last_used - time.time()) < 60


def test_an_empty_store_has_nothing_to_do(store: Store):
    """All verbs of upkeep work where no store is, and make none."""
    assert (store.tables(), store.verify()) == ([], [])
    assert store.compact() == CompactReport(0, 0, 0, 0, 0, 0, 0, 0)
    assert store.prune(0) == PruneReport(0, 0, 0, 0)
    assert not store.root.exists()


def test_compaction_merges_small_parts(store: Store, table: Table):
    """Many small parts become one; every row stays, first written first, and duplicates go."""
    for i in range(10):
        fill(table, range(i * 10, i * 10 + 20))
    before = sum(path.stat().st_size for path in parts_of(table.folder))
    report = store.compact()
    (part,) = parts_of(table.folder)
    assert report == CompactReport(10, 1, 10, 0, 90, 0, before, part.stat().st_size)
    rows = rows_of(range(110))
    np.testing.assert_array_equal(table.read("last", rows), values_of(rows))
    assert table.columns() == {"last": {"layer": "last"}}
    assert store.verify() == []
    assert store.compact() == CompactReport(0, 0, 0, 0, 0, 0, part.stat().st_size, part.stat().st_size)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "ab"]), st.lists(st.integers(0, 12), min_size=1)), max_size=6))
def test_compaction_changes_no_answer(tmp_path_factory: pytest.TempPathFactory, parts: list):
    """Whatever was written, with whatever duplicates: reads before and after are the same, and say who wrote."""
    store = Store(tmp_path_factory.mktemp("store"))
    table = store.table("t", {})
    for number, (columns, numbers) in enumerate(parts):
        values = {name: np.full((len(numbers), 2), number, np.float32) for name in columns}
        table.append(rows_of(numbers), values, {name: {} for name in columns}, {"n": columns})
    every, before = rows_of(range(13)), {}
    for column in "ab":
        there = [row for row, gone in zip(every, table.missing([column], every), strict=True) if not gone]
        before[column] = there, table.read(column, there).tolist()
    report = store.compact()
    fresh = Store(store.root).table("t", {})
    for column, (there, values) in before.items():
        assert int(fresh.missing([column], every).sum()) == 13 - len(there)
        if sum(len(columns) for columns, _ in parts) == len(parts):  # else a row may win in one of two columns only
            assert fresh.read(column, there).tolist() == values
    assert report.kept == 0
    assert store.verify() == []


def test_compaction_keeps_ragged_and_half_values(store: Store, table: Table):
    """Columns of every kind are merged as they are."""
    rows = rows_of(range(6))
    arrays = [np.full((i, 2), i, np.float32) for i in range(6)]
    for i in (0, 2, 4):
        columns = {"ragged": arrays[i : i + 2], "half": np.full((2, 3), i, np.float16)}
        table.append(rows[i : i + 2], columns, {"ragged": {}, "half": {}}, {})
    size = sum(path.stat().st_size for path in parts_of(table.folder))
    assert store.compact().bytes_after < size
    for read, want in zip(table.read("ragged", rows), arrays, strict=True):
        np.testing.assert_array_equal(read, want)
    np.testing.assert_array_equal(table.read("half", rows)[:, 0], [0, 0, 2, 2, 4, 4])


def test_compaction_keeps_writers_apart(store: Store, table: Table):
    """Parts of different engines are not merged: who wrote a row stays known."""
    for i in range(6):
        fill(table, [i], written_by={"engine": "eager" if i % 2 else "openvino"})
    assert store.compact().written == 2
    assert sorted(len(at) for _, at in table.writers("last", rows_of(range(6)))) == [3, 3]


def test_compaction_does_not_hide_damage(store: Store, table: Table):
    """A damaged part is set aside first: its bytes never get a new digest."""
    fill(table, range(100))
    fill(table, range(100, 200))
    flip(parts_of(table.folder)[0], 0.5)
    report = store.compact()
    assert (report.damaged, report.merged) == (1, 0)
    assert table.missing(["last"], rows_of(range(200))).sum() == 100


def test_parts_that_are_being_read_are_kept(store: Store, table: Table, spawn: Callable[..., subprocess.Popen[str]]):
    """While a reader holds a table, compaction removes nothing, and the rows are still read once."""
    for i in range(3):
        fill(table, [i])
    table.missing(["last"], rows_of([0]))
    holder = spawn(HOLDER, table.folder / "readers.lock")
    assert holder.stdout.readline() == "held\n"
    report = store.compact()
    assert (report.written, report.removed, report.kept) == (1, 0, 3)
    assert len(parts_of(table.folder)) == 4
    assert store.tables()[0].rows == 3
    assert store.prune(0).kept == 4
    holder.communicate("go\n")
    assert store.compact().kept == 0
    assert len(parts_of(table.folder)) == 1


def test_one_compaction_at_a_time(store: Store, table: Table, spawn: Callable[..., subprocess.Popen[str]]):
    """A table that another process is compacting is left to it."""
    for i in range(3):
        fill(table, [i])
    holder = spawn(HOLDER, table.folder / "upkeep.lock")
    assert holder.stdout.readline() == "held\n"
    assert store.compact() == CompactReport(0, 0, 0, 0, 0, 0, 0, 0)
    assert len(parts_of(table.folder)) == 3


def test_pruning_removes_what_was_used_longest_ago(store: Store, table: Table):
    """Parts go by last use, over all tables, until the rest fits; reading a part counts as use."""
    tables = [table, store.table("other", {})]
    for i in range(6):
        fill(tables[i % 2], [i])
    for t in tables:
        for place, part in enumerate(parts_of(t.folder)):
            age(part, 10_000 - place)
    size = parts_of(table.folder)[0].stat().st_size
    fresh = [Store(store.root).table(t.key, {}) for t in tables]
    np.testing.assert_array_equal(fresh[0].read("last", rows_of([0])), values_of(rows_of([0])))
    assert store.prune(6 * size).removed == 0
    assert store.prune(int(2.5 * size)) == PruneReport(4, 0, 6 * size, 2 * size)
    there = [fresh[i % 2].missing(["last"], rows_of([i])).tolist() == [False] for i in range(6)]
    assert there[0]
    assert sum(there) == 2
    assert there[4] or there[5]
    assert store.prune(0) == PruneReport(2, 0, 2 * size, 0)
    assert store.tables() == []


def test_pruned_rows_can_be_written_again(store: Store, table: Table):
    """An open table drops what was pruned and takes what comes new."""
    rows = fill(table, range(5))
    table.read("last", rows)
    store.prune(0)
    assert table.missing(["last"], rows).all()
    fill(table, range(5))
    np.testing.assert_array_equal(table.read("last", rows), values_of(rows))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is mapped")
def test_pruning_frees_the_disk_at_once(store: Store, table: Table):
    """Tables of the store that prunes or compacts let go of removed parts: mapped, these would still take up room."""
    rows = fill(table, range(5)) + fill(table, range(5, 9))
    table.read("last", rows)
    store.compact()
    table.read("last", rows)
    store.prune(0)
    assert str(table.folder) not in Path("/proc/self/maps").read_text()


def test_what_was_set_aside_goes_first(store: Store, table: Table):
    """Damaged parts are the first that pruning removes."""
    rows = fill(table, range(5))
    fill(table, range(5, 10))
    flip(parts_of(table.folder)[1], 0.5)
    assert len(store.verify()) == 1
    size = parts_of(table.folder)[0].stat().st_size
    assert store.prune(size).removed == 1
    np.testing.assert_array_equal(table.read("last", rows), values_of(rows))
    assert sorted(path.suffix for path in table.folder.iterdir()) == [".arrow", ".json", ".lock"]


def test_a_negative_limit_is_refused(store: Store):
    """A store cannot be smaller than nothing."""
    with pytest.raises(UsageError, match=r"size limit of -1 bytes\. A limit is 0 or more"):
        store.prune(-1)
