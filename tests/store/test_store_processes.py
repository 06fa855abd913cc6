"""Real processes: killed while writing, writing at once, compacting under a reader."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icecore.store import Store
from tests.store.rows import fill, rows_of, values_of

Spawn = Callable[..., subprocess.Popen[str]]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")

WRITER = """
root, start, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
table = Store(root).table("t", {})
say("ready")
for i in range(start, start + count):
    rows = rows_of(range(i * 2000, (i + 1) * 2000))
    table.append(rows, {"c": values_of(rows, 64)}, {"c": {}}, {"process": str(os.getpid())})
    say(i)
"""

OVERLAPPING = """
root, seed = sys.argv[1], int(sys.argv[2])
table, order = Store(root).table("t", {}), np.random.default_rng(seed).permutation(60)
say("ready")
sys.stdin.readline()
for i in order:
    rows = rows_of(range(i * 50, (i + 2) * 50))
    missing = table.missing(["c"], rows)
    rows = [row for row, absent in zip(rows, missing) if absent]
    table.append(rows, {"c": values_of(rows)}, {"c": {"layer": "c"}}, {})
say("done")
"""

COMPACTOR = """
store = Store(sys.argv[1])
say("ready")
sys.stdin.readline()
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    store.compact()
say("done")
"""


def check(root: Path, committed: list[int]) -> None:
    """Every batch that was reported as committed is there, and every row that is there is right."""
    table = Store(root).table("t", {})
    for i in committed:
        rows = rows_of(range(i * 2000, (i + 1) * 2000))
        np.testing.assert_array_equal(table.read("c", rows), values_of(rows, 64))


def kill_a_writer(spawn: Spawn, root: Path, start: int, delay: float) -> list[int]:
    writer = spawn(WRITER, root, start, 1000)
    assert writer.stdout.readline() == "ready\n"
    time.sleep(delay)
    os.kill(writer.pid, signal.SIGKILL)
    return [int(line) for line in writer.stdout.read().splitlines() if line.strip()]


def run_kills(spawn: Spawn, root: Path, times: int) -> None:
    dice, committed = random.Random(0), []
    for _ in range(times):
        start = max(committed, default=-1) + 2
        committed += kill_a_writer(spawn, root, start, dice.uniform(0.0, 0.15))
        check(root, committed[-3:])
    assert committed
    check(root, committed)
    assert Store(root).verify() == []


def test_a_killed_writer_loses_nothing_that_it_committed(tmp_path: Path, spawn: Spawn):
    """After SIGKILL at a random moment all committed rows are there and right, and the rest is simply missing."""
    run_kills(spawn, tmp_path, 4)


@pytest.mark.slow
def test_twenty_killed_writers_lose_nothing_that_they_committed(tmp_path: Path, spawn: Spawn):
    """The same twenty times over, in one store; what dead writers left is removed once it is an hour old."""
    run_kills(spawn, tmp_path, 20)
    for left in (tmp_path / "t").glob(".*.tmp"):
        os.utime(left, (1, 1))
    young = tmp_path / "t" / ".young.tmp"
    young.touch()
    Store(tmp_path).verify()
    assert list((tmp_path / "t").glob(".*.tmp")) == [young]


def test_two_writers_and_a_reader(tmp_path: Path, spawn: Spawn):
    """Two processes write overlapping rows while a third reads: what is there is right, and at the end all is there."""
    writers = [spawn(OVERLAPPING, tmp_path, seed) for seed in (1, 2)]
    together(writers)
    table, rows = Store(tmp_path).table("t", {}), rows_of(range(61 * 50))
    while any(writer.poll() is None for writer in writers):
        read_what_is_there(table, rows)
    assert all(writer.stdout.read() == "done\n" for writer in writers)
    np.testing.assert_array_equal(table.read("c", rows), values_of(rows))
    assert Store(tmp_path).tables()[0].rows == len(rows)


def test_compaction_under_readers_and_writers(tmp_path: Path, spawn: Spawn):
    """While one process compacts over and over, a writer's and a reader's rows are neither lost nor wrong."""
    store = Store(tmp_path)
    table = store.table("t", {})
    for i in range(100, 120):
        fill(table, range(i * 50, (i + 1) * 50), "c")
    old = rows_of(range(5000, 6000))
    children = [spawn(COMPACTOR, tmp_path, 2.0), spawn(OVERLAPPING, tmp_path, 1)]
    together(children)
    while any(child.poll() is None for child in children):
        np.testing.assert_array_equal(table.read("c", old), values_of(old))
        read_what_is_there(table, rows_of(range(61 * 50)))
    assert all(child.stdout.read() == "done\n" for child in children)
    store.compact()
    every = old + rows_of(range(61 * 50))
    np.testing.assert_array_equal(table.read("c", every), values_of(every))
    assert store.tables()[0].parts == 1
    assert store.verify() == []


def test_a_killed_compaction_loses_nothing(tmp_path: Path, spawn: Spawn):
    """Killed at any moment, a compaction leaves at most duplicates, and the next one ends the work."""
    store, rows = Store(tmp_path), rows_of(range(2000))
    for i in range(4):
        for start in range(0, 2000, 100):
            fill(store.table("t", {}), range(start, start + 100), "c")
        compactor = spawn(COMPACTOR, tmp_path, 60)
        together([compactor])
        time.sleep(0.004 * (4**i))
        os.kill(compactor.pid, signal.SIGKILL)
        compactor.wait()
        np.testing.assert_array_equal(Store(tmp_path).table("t", {}).read("c", rows), values_of(rows))
    store.compact()
    (info,) = store.tables()
    assert (info.rows, info.parts) == (2000, 1)
    assert store.verify() == []


def together(children: list[subprocess.Popen[str]]) -> None:
    """Let children that are ready begin at the same time."""
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()


def read_what_is_there(table, rows: list[bytes]) -> None:
    there = [row for row, absent in zip(rows, table.missing(["c"], rows), strict=True) if not absent]
    if there:
        np.testing.assert_array_equal(table.read("c", there), values_of(there))
