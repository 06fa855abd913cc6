"""A full disk, a folder that may not be written to: a clear error, and nothing half-written."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icecore.errors import StoreError
from icecore.store import Store
from tests.store.rows import fill, parts_of, rows_of, values_of

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and users of POSIX")

FULL = """
import resource
from icecore.errors import StoreError
table = Store(sys.argv[1]).table("t", {})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for n in (100, 10_000, 200):
    rows = rows_of(range(n, 2 * n))
    try:
        table.append(rows, {"c": values_of(rows)}, {"c": {}}, {})
        say("written")
    except StoreError as error:
        say(str(error))
claim = table.claim(rows_of(range(10_000)))
with claim as got:
    say(got.mine.all())
"""

INTERRUPTED = """
rows = rows_of(range(30_000))
values = values_of(rows, 64)
table = Store(sys.argv[1]).table("t", {})
for _ in range(10):
    try:
        say("writing")
        while True:
            table.append(rows, {"c": values}, {"c": {}}, {})
    except KeyboardInterrupt:
        say("interrupted")
"""

STRANGER = """
from icecore.errors import StoreError
os.setuid(65534)
table = Store(sys.argv[1]).table("t", {})
rows = rows_of(range(3))
say((table.read("last", rows) == values_of(rows)).all() and not table.missing(["last"], rows).any())
try:
    table.append(rows, {"c": values_of(rows)}, {"c": {}}, {})
except StoreError as error:
    say(str(error))
with table.claim(rows) as claim:
    say(claim.mine.all())
say(Store(sys.argv[1]).file_rows.lookup(["/"]))
say([info.rows for info in Store(sys.argv[1]).tables()])
"""


@posix
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path, spawn: Callable[..., subprocess.Popen[str]]):
    """Where a part cannot be written whole, the error says what to do, and the folder holds whole parts only."""
    said = spawn(FULL, tmp_path).communicate()[0].splitlines()
    assert said[0] == said[2] == "written"
    assert said[1].startswith(f"The store could not write to {tmp_path / 't'}: File too large. Free some space, shrink")
    assert said[1].endswith("or put the store elsewhere with --store or ICECORE_STORE.")
    assert said[3] == "True"
    assert len(parts_of(tmp_path / "t")) == 2
    assert not list((tmp_path / "t").glob(".*"))
    assert not list((tmp_path / "t" / "claims").glob("*.claim"))
    assert Store(tmp_path).verify() == []
    rows = rows_of(range(200, 400))
    np.testing.assert_array_equal(Store(tmp_path).table("t", {}).read("c", rows), values_of(rows))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become someone else")
def test_a_store_of_someone_else_can_be_read(spawn: Callable[..., subprocess.Popen[str]]):
    """Who may read a store but not write to it reads it, and is told so when writing."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # `tmp_path` cannot be entered by others
        fill(Store(folder).table("t", {}), range(3))
        said = spawn(STRANGER, folder).communicate()[0].splitlines()
    assert said[0] == "True"
    assert said[1].startswith(
        f"The store could not write to {folder}/t: Permission denied. Get permission to write to it"
    )
    assert said[2:] == ["True", "[None]", "[3]"]


def test_a_file_where_the_store_should_be_is_a_clear_error(tmp_path: Path):
    """A path that leads through a file reads as empty and refuses to be written to."""
    (tmp_path / "file").write_text("mine")
    table = Store(tmp_path / "file").table("t", {})
    assert table.missing(["last"], rows_of([1])).all()
    with pytest.raises(StoreError, match=r"The store could not write to .*file/t: .*Check this path, or put the store"):
        fill(table, [1])
    Store(tmp_path / "file").file_rows.remember([], [], [])
    assert Store(tmp_path / "file").file_rows.lookup(["x"]) == [None]
    assert (tmp_path / "file").read_text() == "mine"


@posix
def test_an_interrupt_leaves_nothing(tmp_path: Path, spawn: Callable[..., subprocess.Popen[str]]):
    """Ctrl-C in the middle of an append leaves whole parts, and nothing else."""
    child = spawn(INTERRUPTED, tmp_path)
    for _ in range(10):
        assert child.stdout.readline() == "writing\n"
        time.sleep(0.03)
        os.kill(child.pid, signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
    assert child.wait(60) == 0
    assert {path.suffix for path in (tmp_path / "t").iterdir()} == {".arrow", ".json"}
    assert Store(tmp_path).verify() == []
