"""Two processes on one machine do not compute the same row."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icecore.store import Store, Table
from tests.store.rows import fill, rows_of, values_of

Spawn = Callable[..., subprocess.Popen[str]]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="claims need flock")

OWNER = """
rows = rows_of(range(int(sys.argv[2]), int(sys.argv[3])))
table = Store(sys.argv[1]).table("resnet", {})
with table.claim(rows) as claim:
    say(int(claim.mine.sum()))
    if sys.stdin.readline():
        mine = [row for row, own in zip(rows, claim.mine) if own]
        table.append(mine, {"last": values_of(mine)}, {"last": {}}, {})
"""

EAGER_PAIR = """
rows = rows_of(range(400))
table = Store(sys.argv[1]).table("resnet", {})
say("ready")
sys.stdin.readline()
computed = 0
for start in range(0, 400, 40):
    batch = rows[start : start + 40]
    while (absent := table.missing(["last"], batch)).any():
        wanted = [row for row, gone in zip(batch, absent) if gone]
        with table.claim(wanted) as claim:
            mine = [row for row, own in zip(wanted, claim.mine) if own]
            mine = [row for row, gone in zip(mine, table.missing(["last"], mine)) if gone]
            table.append(mine, {"last": values_of(mine)}, {"last": {}}, {})
            computed += len(mine)
            claim.wait_for_others(60)
say(computed)
"""


def test_the_first_to_claim_has_the_rows(store: Store, table: Table):
    """Rows that someone else is computing are not mine; those that nobody has claimed are."""
    other = Store(store.root).table("resnet", {})
    with table.claim(rows_of(range(6))) as first, other.claim(rows_of(range(4, 9))) as second:
        assert first.mine.all()
        assert second.mine.tolist() == [False, False, True, True, True]
        with other.claim(rows_of(range(9))) as third:
            assert not third.mine.any()
    with other.claim(rows_of(range(9))) as again:
        assert again.mine.all()
    assert not list((table.folder / "claims").glob("*.claim"))


def test_waiting_ends_when_the_others_have_committed(store: Store, table: Table, spawn: Spawn):
    """Who waits for another process finds its rows afterwards."""
    owner = spawn(OWNER, store.root, 0, 50)
    assert owner.stdout.readline() == "50\n"
    with table.claim(rows_of(range(40, 60))) as claim:
        assert claim.mine.tolist() == [False] * 10 + [True] * 10
        assert not claim.wait_for_others(timeout=0.05)
        owner.stdin.write("go\n")
        owner.stdin.flush()
        assert claim.wait_for_others(timeout=60)
    rows = rows_of(range(50))
    np.testing.assert_array_equal(table.read("last", rows), values_of(rows))


def test_the_claim_of_a_killed_process_is_void(store: Store, table: Table, spawn: Spawn):
    """A claim dies with its owner: who waits goes on at once, and the rows can be claimed anew."""
    owner = spawn(OWNER, store.root, 0, 50)
    owner.stdout.readline()
    with table.claim(rows_of(range(50))) as claim:
        assert not claim.mine.any()
        threading.Timer(0.2, os.kill, (owner.pid, signal.SIGKILL)).start()
        start = time.monotonic()
        assert claim.wait_for_others(timeout=60)
        assert time.monotonic() - start < 30
    with table.claim(rows_of(range(50))) as claim:
        assert claim.mine.all()
        assert len(list((table.folder / "claims").glob("*.claim"))) == 1
    assert table.missing(["last"], rows_of(range(50))).all()


def test_two_who_wait_for_each_other_do_not_stand_still(store: Store, table: Table):
    """Waiting gives the own claim up first."""
    other = Store(store.root).table("resnet", {})
    with table.claim(rows_of(range(10))) as first, other.claim(rows_of(range(20))) as second:
        assert second.wait_for_others(timeout=0.01) is False
        with table.claim(rows_of(range(10, 30))) as third:
            assert third.mine.all()
        assert first.wait_for_others() is True
        assert second.wait_for_others() is True


def test_two_processes_compute_every_row_once(tmp_path: Path, spawn: Spawn):
    """With claims, two processes that want the same rows at the same time share the work exactly."""
    pair = [spawn(EAGER_PAIR, tmp_path) for _ in range(2)]
    for child in pair:
        child.stdout.readline()
    for child in pair:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert sum(int(child.stdout.read()) for child in pair) == 400
    rows = rows_of(range(400))
    np.testing.assert_array_equal(Store(tmp_path).table("resnet", {}).read("last", rows), values_of(rows))


def test_a_claim_ends_with_an_exception(table: Table):
    """An error inside the block gives the claim up."""
    with pytest.raises(RuntimeError, match="inside"), table.claim(rows_of([1])):
        raise RuntimeError("inside")
    with table.claim(rows_of([1])) as claim:
        assert claim.mine.all()


def test_damaged_claim_files_are_survived(table: Table):
    """What is left in the folder of claims, whole or not, never stops anyone."""
    fill(table, [0])
    folder = table.folder / "claims"
    folder.mkdir()
    (folder / "old.claim").write_bytes(b"x" * 33)
    with table.claim(rows_of([1, 1])) as claim:
        assert claim.mine.tolist() == [True, True]
    with table.claim([]) as claim:
        assert claim.mine.shape == (0,)
        assert claim.wait_for_others()
    assert not list(folder.glob("*.claim"))
