"""What is said while it runs."""

import io
import re
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from icecore.data import read
from icecore.features import Silent, Terminal, extract
from icecore.prefix import columns_of
from icecore.store import Store
from tests.features.photos import Tiny, tiny


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Slow(Tiny):
    """A network that takes its time."""

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(0.05)
        return super().forward(torch.relu(x))


def test_plain_lines_say_how_far_how_fast_and_how_long():
    """Where there is no terminal there is a line now and then, and one at the end."""
    stream = io.StringIO()
    with Terminal(stream, every=0.01).task("extracting", 2527) as task:
        for _ in range(3):
            time.sleep(0.02)
            task.advance(500)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    for line, done in zip(lines, ["500", "1,000", "1,500"], strict=False):
        assert re.fullmatch(rf"extracting: {done} of 2,527 \(\d+/s, \d+ s left\)", line)
    assert lines[3] == "extracting: 1,500 of 2,527 in 0 s"


def test_short_work_says_nothing():
    """What is over before the first line is due is not mentioned."""
    stream = io.StringIO()
    with Terminal(stream).task("extracting", 10) as task:
        task.advance(10)
    assert stream.getvalue() == ""


def test_waiting_without_a_rate():
    """As long as nothing has come there is no rate, and no time left can be told."""
    stream = io.StringIO()
    with Terminal(stream, every=0.0).task("waiting for another process", 10) as task:
        task.advance(0)
    assert stream.getvalue().splitlines()[0] == "waiting for another process: 0 of 10 (0/s)"


def test_a_terminal_shows_a_bar():
    """A live bar with count and rate, which leaves nothing behind."""
    stream = Screen()
    with Terminal(stream).task("extracting", 20) as task:
        task.advance(7)
        task.advance(0)
    assert "extracting" in stream.getvalue()
    assert "7/20" in stream.getvalue()
    assert "/s" in stream.getvalue()


def test_extraction_tells_hashing_and_extracting(folder: Path, store: Store):
    """Every step that may take long is told, and a second run, which has nothing to do, says nothing."""
    told = []

    class Telling:
        def task(self, label: str, total: int):
            told.append((label, total))
            return Silent().task(label, total)

    backbone = tiny()
    for layer in ("last", "input", "last"):
        extract(backbone, read(folder), columns_of(backbone, layer), store=store, progress=Telling())
    fresh = [("hashing", 10)]  # files written within the last two seconds are always hashed again
    assert [one for one in told if one not in fresh] == [("extracting", 10), ("reading", 10)]


@pytest.mark.parametrize("bad", [False, True])
def test_the_lines_reach_the_total(folder: Path, store: Store, bad: bool):
    """Bad items count as done."""
    if bad:
        (folder / "0003.png").write_bytes(b"")
    stream = io.StringIO()
    backbone = tiny(Slow())
    extract(
        backbone,
        read(folder),
        columns_of(backbone, "last"),
        store=store,
        batch_size=2,
        progress=Terminal(stream, every=0.01),
    )
    assert re.search(r"extracting: 10 of 10 in \d+ s", stream.getvalue())
