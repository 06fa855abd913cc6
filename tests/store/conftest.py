"""A store in a fresh folder, and real child processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from icecore.store import Store, Table

ROOT = Path(__file__).parents[2]
START = """
import os, sys, time
import numpy as np
from icecore.store import Store
from tests.store.rows import rows_of, say, values_of
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def table(store: Store) -> Table:
    return store.table("resnet", about={"network": "resnet"})


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python process that runs some code; whatever still runs at the end of the test is killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START + code, *map(str, arguments)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
