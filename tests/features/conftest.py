"""A store and photographs in fresh folders, and real child processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from icecore.backbones import Extractor
from icecore.store import Store
from tests.features.photos import tiny, write_photos

ROOT = Path(__file__).parents[2]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def backbone() -> Extractor:
    return tiny()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten different photographs."""
    write_photos(tmp_path / "photos", range(10))
    return tmp_path / "photos"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a Python process that runs some code; whatever still runs at the end of the test is killed."""
    paths = os.pathsep.join(path for path in (str(ROOT), os.environ.get("PYTHONPATH")) if path)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    children: list[subprocess.Popen[str]] = []

    def begin(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()
