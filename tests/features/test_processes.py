"""Real processes: killed, interrupted, and two at once on the same folder."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from icecore import backbones
from icecore.data import read
from icecore.features import Features, extract
from icecore.prefix import columns_of
from icecore.store import Store
from tests.features.conftest import Start
from tests.features.photos import write_photos

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL, and locks between processes")

NETWORK = "icecore:vision-s@random"
EXTRACTOR = """
import json, sys, time
from icecore import backbones
from icecore.data import read
from icecore.features import extract
from icecore.prefix import columns_of
from icecore.store import Store

folder, root, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])

class Slow(backbones.TorchBackbone):
    def run(self, *args):
        time.sleep(0.04)  # a batch, so that there is something left to kill on any machine
        return super().run(*args)

net = backbones.load("icecore:vision-s@random", device="cpu")
net.__class__ = Slow
columns = columns_of(net, ["last", "stages.1"])
dataset = read(folder)
if seed:
    import numpy as np
    dataset = dataset.take(np.random.default_rng(seed).permutation(len(dataset)))
print("ready", flush=True)
sys.stdin.readline()
features = extract(net, dataset, columns, store=Store(root), batch_size=4)
print(json.dumps([features.report.computed, features.report.reused]), flush=True)
"""


def go(children: list[subprocess.Popen[str]]) -> None:
    """Let children that are ready begin at the same time."""
    for child in children:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()


def extracted(folder: Path, root: Path) -> Features:
    net = backbones.load(NETWORK, device="cpu")
    return extract(net, read(folder), columns_of(net, ["last", "stages.1"]), store=Store(root))


def committed(root: Path) -> list[bytes]:
    """Row keys in all parts, those that are there twice twice."""
    tables = [pa.ipc.open_file(path).read_all() for path in sorted(root.glob("*/*.arrow"))]
    return [row for table in tables for row in table.column("row").to_pylist()]


def same(one: Features, other: Features) -> None:
    assert one.rows == other.rows
    for column in one.columns:
        np.testing.assert_allclose(one.read(column), other.read(column), rtol=1e-4, atol=1e-5)


def kill_and_go_on(start: Start, tmp_path: Path, photos: int, times: int) -> None:
    folder, root, dice = tmp_path / "photos", tmp_path / "store", random.Random(times)
    write_photos(folder, range(photos), side=96)
    done, kept = 0, []
    for _ in range(times):
        child = start(EXTRACTOR, folder, root, 0)
        go([child])
        time.sleep(dice.uniform(0.0, 1.0))  # a part is committed every half second at first
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        now = committed(root)
        assert now[: len(kept)] == kept, "a committed row was lost or computed again"
        kept = now
        assert len(set(kept)) == len(kept), "a row was computed twice"
        if len(kept) < photos:
            done += 1
    assert done > times // 2, "too few processes were killed at work: take more photographs"
    final = extracted(folder, root)
    assert (final.report.computed, final.report.reused) == (photos - len(kept), len(kept))
    assert len(committed(root)) == photos
    assert Store(root).verify() == []
    same(final, extracted(folder, tmp_path / "undisturbed"))


def test_a_killed_run_is_continued(start: Start, tmp_path: Path):
    """After SIGKILL at random moments the next run computes only what is missing, and ends with the same rows."""
    kill_and_go_on(start, tmp_path, photos=500, times=3)


@pytest.mark.slow
def test_twenty_killed_runs_are_continued(start: Start, tmp_path: Path):
    """The same with twenty kills in one folder."""
    kill_and_go_on(start, tmp_path, photos=1500, times=20)


def test_an_interrupted_run_keeps_what_is_done(start: Start, tmp_path: Path):
    """Ctrl-C commits what has been computed to the last batch, and the process ends at once."""
    folder, root = tmp_path / "photos", tmp_path / "store"
    write_photos(folder, range(800), side=96)
    child = start(EXTRACTOR, folder, root, 0)
    go([child])
    while not committed(root):
        time.sleep(0.02)
    before = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert time.monotonic() - before < 10
    assert "KeyboardInterrupt" in err
    assert out == ""
    kept = len(committed(root))
    assert 0 < kept < 800
    final = extracted(folder, root)
    assert (final.report.computed, final.report.reused) == (800 - kept, kept)


def test_two_processes_at_once_compute_no_row_twice(start: Start, tmp_path: Path):
    """Though each goes in its own order, a read returns every row once, and nothing is computed twice."""
    folder, root = tmp_path / "photos", tmp_path / "store"
    write_photos(folder, range(80), side=96)
    children = [start(EXTRACTOR, folder, root, number) for number in (1, 2)]
    go(children)
    found = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0, 0], found
    counts = [json.loads(out) for out, _ in found]
    assert [sum(pair) for pair in counts] == [80, 80]
    assert sum(computed for computed, _ in counts) == 80
    assert len(committed(root)) == len(set(committed(root))) == 80
    final = extracted(folder, root)
    assert final.report.computed == 0
    same(final, extracted(folder, tmp_path / "alone"))


def test_who_waits_for_a_process_that_is_killed_takes_over(start: Start, tmp_path: Path):
    """The rows that a dead process had claimed are computed by the one that waited for them."""
    folder, root = tmp_path / "photos", tmp_path / "store"
    write_photos(folder, range(150), side=96)
    first, second = start(EXTRACTOR, folder, root, 0), start(EXTRACTOR, folder, root, 0)
    go([first])
    while not list(root.glob("*/claims/*.claim")):
        time.sleep(0.01)
    go([second])
    time.sleep(0.5)
    os.kill(first.pid, signal.SIGKILL)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    computed, reused = json.loads(out)
    assert computed + reused == 150
    assert computed > 0
    assert len(committed(root)) == len(set(committed(root))) == 150
