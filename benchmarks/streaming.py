"""Heads fitted on features that do not fit into memory: 1,000,000 x 768 from the store, under a hard limit.

The features are made up: ten classes of known means and a noise whose axes differ in length as those of a network's
features do, written through the store's own door. Each fit runs in a process of its own that the system allows no more
than 4 GiB of memory (of its own: pages of mapped files are given back when somebody needs them), and is scored on rows
that it has not seen, beside a fit in memory on a tenth of the rows. `best possible` knows the means and the noise.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/streaming.py` works from anywhere

import numpy as np

from benchmarks.common import finish, options, show  # first: it pins the threads
from icecore import heads, keys
from icecore.features import StoredRows
from icecore.heads.rows import Some
from icecore.store import RowKeys, Store, Table

CLASSES, WIDTH, PART = 10, 768, 20_000
LIMIT = 4 << 30
HEADS = ("ridge", "logistic")
HELD_OUT = 0.02


class World:
    """Where the features come from."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
        self.spread = np.arange(1, WIDTH + 1) ** -0.7
        self.noise = (self.spread[:, None] * turn).astype(np.float32)
        self.means = (0.11 * rng.normal(size=(CLASSES, WIDTH)) @ self.noise + 1).astype(np.float32)

    def parts(self, rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features and class codes, part by part."""
        for start in range(0, rows, PART):
            n = min(PART, rows - start)
            y = codes(rows)[start : start + n]
            noise = np.random.default_rng([1, start]).standard_normal((n, WIDTH), dtype=np.float32)
            yield self.means[y] + noise @ self.noise, y

    def best(self, X: np.ndarray, y: np.ndarray) -> float:
        """Accuracy of the rule that knows all: the nearest mean, measured in units of the noise."""
        turn = np.linalg.inv(self.noise.astype(np.float64))
        rows, means = X @ turn, self.means @ turn
        values = rows @ means.T - np.square(means).sum(axis=1) / 2
        return float((values.argmax(axis=1) == y).mean())


def codes(rows: int) -> np.ndarray:
    """Class codes, (rows,)."""
    return np.random.default_rng(2).integers(0, CLASSES, rows)


def row_keys(rows: int) -> RowKeys:
    """Keys of the rows."""
    return RowKeys(np.frombuffer(b"".join(keys.row_of_text(str(i)) for i in range(rows)), np.uint8).reshape(-1, 32))


def table(place: str) -> Table:
    """Where the features lie."""
    return Store(place).table("made-up", about={"network": "made up"})


def write(place: str, rows: int) -> float:
    """Fill the store. Returns the best possible accuracy, from the last part."""
    into, found, world = table(place), row_keys(rows), World()
    for number, (X, y) in enumerate(world.parts(rows)):
        own = found[number * PART : number * PART + len(y)]
        into.append(own, {"last": X}, about={"last": {"layer": "last"}}, written_by={"engine": "made up"})
    return world.best(X, y)


def fitted(place: str, rows: int, name: str, *, in_memory: bool) -> dict[str, Any]:
    """Fit a head on all rows but those held out, or in memory on a tenth of them, and score it."""
    peak = Peak()
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    X, y = StoredRows(table(place), "last", row_keys(rows), WIDTH), codes(rows)
    held = np.arange(int(rows * (1 - HELD_OUT)), rows)
    learned = np.arange(held[0] // 10 if in_memory else held[0])
    begin = time.perf_counter()
    head: Any = heads.make(name)
    if in_memory:
        head.fit(X[learned], y[learned], n_classes=CLASSES)
    else:
        head.fit_in_pieces(Some(X, learned), y[learned], n_classes=CLASSES)
    taken = time.perf_counter() - begin
    proba = np.concatenate([head.predict_proba(piece) for _, piece in heads.pieces(Some(X, held))])
    right = float((proba.argmax(axis=1) == y[held]).mean())
    loss = float(-np.log(proba[np.arange(len(held)), y[held]]).mean())
    return {
        "head": name, "rows": len(learned), "from": "memory" if in_memory else "the store",
        "seconds": taken, "peak_gib": peak.stop() / 2**30, "accuracy": right, "log_loss": loss,
    }  # fmt: skip


class Peak:
    """The most memory that this process has held of its own."""

    def __init__(self) -> None:
        self._most, self._going = 0, True
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> int:
        """Bytes."""
        self._going = False
        return self._most

    def _watch(self) -> None:
        while self._going:
            found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
            self._most = max(self._most, 1024 * int(found[1]) if found else 0)
            time.sleep(0.02)


def alone(work: Any, *given: Any, **named: Any) -> Any:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given, **named).result()


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    rows = 1_000_000 if chosen.full else 50_000
    with tempfile.TemporaryDirectory() as place:
        begin = time.perf_counter()
        best = alone(write, place, rows)
        print(f"{rows:,} x {WIDTH} rows written in {time.perf_counter() - begin:.0f} s")
        found = [alone(fitted, place, rows, name, in_memory=in_memory) for name in HEADS for in_memory in (False, True)]
    lines = [
        (f"{one['head']}, from {one['from']}", f"{one['rows']:,}", f"{one['seconds']:.1f}", f"{one['peak_gib']:.2f}",
         f"{one['accuracy']:.4f}", f"{one['log_loss']:.4f}")
        for one in found
    ]  # fmt: skip
    show(
        f"{rows:,} x {WIDTH}, best possible accuracy {best:.4f}",
        ("fit", "rows", "seconds", "peak GiB", "accuracy", "log loss"), lines,
    )  # fmt: skip
    finish(chosen, {"rows": rows, "width": WIDTH, "limit_gib": LIMIT / 2**30, "best_accuracy": best, "fits": found})


if __name__ == "__main__":
    main()
