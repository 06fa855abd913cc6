"""A store in a fresh folder, rows whose values are known, and real child processes."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from icecore.store import Store, Table

# Also what child processes begin with: every row's values follow from its key, so any row read can be checked.
RECIPE = """
import hashlib, os, sys, time
import numpy as np
from icecore.store import Store

def rows_of(numbers):
    return [hashlib.sha256(b"%d" % i).digest() for i in numbers]

def values_of(rows, d=8):
    keys = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), 32)
    return np.tile(keys, (1, -(-d // 32)))[:, :d].astype(np.float32)

def say(word):
    print(word, flush=True)
"""


def rows_of(numbers) -> list[bytes]:
    return [hashlib.sha256(b"%d" % i).digest() for i in numbers]


def values_of(rows: list[bytes], d: int = 8) -> np.ndarray:
    keys = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), 32)
    return np.tile(keys, (1, -(-d // 32)))[:, :d].astype(np.float32)


def fill(table: Table, numbers, column: str = "last", written_by: dict[str, str] | None = None) -> list[bytes]:
    rows = rows_of(numbers)
    table.append(rows, {column: values_of(rows)}, about={column: {"layer": column}}, written_by=written_by or {})
    return rows


def parts_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.arrow"))


def flip(path: Path, where: float, mask: int = 0xFF) -> None:
    """Change one byte of a file, which lies at this share of its length."""
    raw = bytearray(path.read_bytes())
    raw[int(where * len(raw))] ^= mask
    path.write_bytes(raw)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def table(store: Store) -> Table:
    return store.table("resnet", about={"network": "resnet"})


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python process that runs some code; whatever still runs at the end of the test is killed."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RECIPE + code, *map(str, arguments)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
