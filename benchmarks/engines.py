"""Engines alone, on prepared batches in memory: items a second, and GFLOP/s beside the machine's own matrix products.

Every engine that is installed, in both precisions, with batches of several sizes, as many at once as it takes; `apart`
is how far its features are from the eager ones in float32. Floating-point operations are counted by torch over the
network's own forward. The machine's rate is that of torch's product of two square matrices, in the same run, between
the engines.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/engines.py` works from anywhere

from benchmarks.common import finish, kept, options, show  # pins threads, so before torch

# isort: split
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.sides.inputs import inputs_of
from benchmarks.sides.networks import NAMES, Network, networks
from icecore import backbones
from icecore.data import load, read
from icecore.prefix import columns_of
from icecore.prefix.engines import Eager, Runner, apart, compiled
from icecore.prefix.engines.catalogue import installed

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIZES = (8, 16, 32, 64)


@dataclass(frozen=True)
class Rate:
    """What one engine reaches with batches of one size."""

    network: str
    precision: str
    engine: str
    batch_size: int
    items_per_second: float
    gflops: float
    of_machine: float
    apart: float
    seconds_to_make: float


@dataclass(frozen=True)
class Case:
    """A network in one precision, prepared inputs, and what an item costs."""

    network: Network
    backbone: Any
    items: list[Any]
    gflop: float

    @property
    def precision(self) -> str:
        """Of the network."""
        return str(self.backbone.precision)

    def runner(self, engine: str) -> Runner:
        """An engine that gives the feature `last`."""
        columns = columns_of(self.backbone, "last")
        return Eager(self.backbone, columns) if engine == "eager" else compiled(self.backbone, columns, engine)

    def apart(self, runner: Runner) -> float:
        """How far its features are from the eager ones in float32."""
        (column,), few = columns_of(self.backbone, "last"), self.items[:4]
        eager = Eager(self.backbone.at_precision("float32"), [column])
        return apart(list(runner(few)[column]), list(eager(few)[column]), self.precision)


def prepared(network: Network, backbone: Any, n: int, place: Path) -> list[Any]:
    """Inputs of one shape, as the network takes them: a few different ones, over and over."""
    few = inputs_of(network.modality, place, 16).items
    items = [backbone.prepare(load(item, network.modality)[1]) for item in read(few, modality=network.modality).inputs]
    buckets = Counter(backbone.bucket(item) for item in items)
    alike = [item for item in items if backbone.bucket(item) == buckets.most_common(1)[0][0]]
    return [alike[i % len(alike)] for i in range(n)]


def gflop_per_item(backbone: Any, items: list[Any]) -> float:
    """Floating-point operations of the network's own forward; a multiplication with an addition is two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.forward(items)
    return counter.get_total_flops() / len(items) / 1e9


def machine_gflops(dtype: torch.dtype, size: int, rounds: int = 3) -> float:
    """The best rate of torch's product of two square matrices."""
    a, b = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    torch.mm(a, b)
    return max(2 * size**3 / _seconds(lambda: torch.mm(a, b)) for _ in range(rounds)) / 1e9


def items_per_second(runner: Runner, items: list[Any], batch_size: int, rounds: int) -> float:
    """The median rate, with as many batches under way as the engine takes."""
    batches = [items[i : i + batch_size] for i in range(0, len(items) - batch_size + 1, batch_size)]
    batches = [batches[i % len(batches)] for i in range(max(len(batches), 2 * runner.in_flight))]
    runner(batches[0])  # what the first run sets up is left out
    with ThreadPoolExecutor(runner.in_flight) as pool:
        taken = [_seconds(lambda: list(pool.map(runner, batches))) for _ in range(rounds)]
    return sum(map(len, batches)) / statistics.median(taken)


def rates(case: Case, engines: list[str], sizes: tuple[int, ...], matrix: int, rounds: int) -> Iterator[Rate]:
    """Of engines with batches of all sizes. Those that cannot run the network are said and left out."""
    machine = machine_gflops(PRECISIONS[case.precision], matrix)
    for engine in engines:
        begin = time.perf_counter()
        try:
            runner = case.runner(engine)
            far = case.apart(runner)
        except Exception as error:  # noqa: BLE001 - whatever a compiler cannot do is no result
            print(f"{case.network.name}, {case.precision}: {engine} cannot run it: {str(error).splitlines()[0]}")
            continue
        making = time.perf_counter() - begin
        for size in sizes:
            rate = items_per_second(runner, case.items, size, rounds)
            machine = max(machine, machine_gflops(PRECISIONS[case.precision], matrix, 1))
            gflops = rate * case.gflop
            yield Rate(case.network.name, case.precision, engine, size, rate, gflops, gflops / machine, far, making)
        del runner


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measured(network: Network, place: Path, chosen: argparse.Namespace) -> Iterator[list[Rate]]:
    """A network's rates in each precision."""
    sizes, matrix, most = (SIZES, 4096, 128) if chosen.full else ((8,), 2048, 8)
    rounds = chosen.rounds or (3 if chosen.full else 1)
    backbone = backbones.load(network.id, device="cpu")
    items = prepared(network, backbone, most if network.modality == "image" else max(sizes), place)
    gflop = gflop_per_item(backbone, items[:8])
    for precision in PRECISIONS:
        case = Case(network, backbone.run_as(precision=precision), items, gflop)
        engines = [
            "eager",
            *(name for name in installed(backbone.device, precision) if chosen.full or name == "openvino"),
        ]
        yield list(rates(case, engines, sizes, matrix, rounds))


def table(rows: list[Rate]) -> None:
    """Print the rates of one network in one precision."""
    show(
        f"{rows[0].network}, {rows[0].precision}",
        ("engine", "batch", "items/s", "GFLOP/s", "of a matrix product", "apart", "seconds to make"),
        [
            (r.engine, r.batch_size, f"{r.items_per_second:.1f}", f"{r.gflops:.0f}", f"{r.of_machine:.0%}",
             f"{r.apart:.0e}", f"{r.seconds_to_make:.1f}")
            for r in rows
        ],
    )  # fmt: skip


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0], only=NAMES)
    found: dict[str, Any] = kept(chosen, "rates")
    with tempfile.TemporaryDirectory() as place:
        for network in networks(Path(place), chosen.only):
            found[network.name] = []
            for rows in measured(network, Path(place) / f"inputs of {network.name}", chosen):
                table(rows)
                found[network.name] += [asdict(rate) for rate in rows]
    finish(chosen, {"rates": found})


if __name__ == "__main__":
    main()
