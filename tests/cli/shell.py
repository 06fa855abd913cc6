"""The command line as a person meets it: in a process of its own, or quicker, in this one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

from icecore.cli.main import run


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON object on one line and nothing else."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        found = json.loads(self.out, parse_constant=_no_constant)
        assert isinstance(found, dict)
        return found


class Shell:
    """Runs commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: object, encoding: str = "utf-8") -> Done:
        """In this process, as quick as the command itself, on a terminal of some encoding."""
        out, err = (TextIOWrapper(BytesIO(), encoding, newline="") for _ in range(2))
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            status = _status_of(lambda: run([str(word) for word in words]))
        return Done(status, *(_written(stream) for stream in (out, err)))

    def process(self, *words: object, env: Mapping[str, str] | None = None) -> Done:
        """In a process of its own, as from a terminal: some seconds slower."""
        done = subprocess.run(
            command(*words), cwd=self.folder, env={**os.environ, **(env or {})},
            capture_output=True, encoding="utf-8", check=False, timeout=300,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def interrupted(self, *words: object, when: Callable[[], bool]) -> Done:
        """In a process of its own, with Ctrl-C as soon as something is so."""
        with subprocess.Popen(
            command(*words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None and not when():
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "icecore", *map(str, words)]


def _status_of(call: Callable[[], None]) -> int:
    try:
        call()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    return 0


def _written(stream: TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8")


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
