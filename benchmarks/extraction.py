"""From files to features on disk: icecore in both precisions against the usual loops of other libraries.

All sides have loaded networks of one architecture, most with the same weights, and as many threads; they take turns.
icecore's time has everything in it: choosing and making an engine, digests of files and weights, a fresh store. Peers
run as they document themselves and write an .npy file; each has the batch size and the number of loading processes that
suit it best on a sample. The fastest of those that compute in float32 by torch is the usual loop that icecore is
compared with. Photographs are JPEG files of 500 x 375 pixels, larger copies of TrashNet's, texts those of banking77,
sounds those of ESC-10, five seconds at 44.1 kHz.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/extraction.py` works from anywhere

from benchmarks.common import Side, alternate, finish, kept, options, ratio, show  # pins threads, so before NumPy

# isort: split
import numpy as np

from benchmarks.sides.inputs import Inputs, inputs_of
from benchmarks.sides.loops import Peer
from benchmarks.sides.networks import NAMES, Network, networks
from benchmarks.sides.peers import peers_of
from benchmarks.sides.probes import FOLDS, Probe, worth
from icecore import PretrainedModel
from icecore.prefix.engines import apart

PRECISIONS = ("bfloat16", "float32")
SAMPLE = 48  # items to choose a peer's settings on
MANY = 5000  # rows, of which one quarter is enough to score a probe on


@dataclass
class Sides:
    """The sides of one comparison, with the features that each gave last, and why icecore took which engine."""

    network: Network
    items: Sequence[Any]
    device: str
    found: dict[str, np.ndarray] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)

    def ours(self, precision: str) -> Side:
        """icecore with a fresh network and an empty store."""

        def begin() -> Callable[[], None]:
            gc.collect()  # engines of earlier rounds
            net = PretrainedModel.load(self.network.id, device=self.device, precision=precision)
            place = tempfile.TemporaryDirectory()

            def work() -> None:
                features = net.extract_features(self.items, store=place.name, progress=False)
                self.found[name_of(precision)] = features["last"]
                self.engines[precision] = "; ".join(features.report.engines) or "eager"
                place.cleanup()

            return work

        return begin

    def peer(self, peer: Peer) -> Side:
        """A peer, at its settings."""

        def work() -> None:
            with tempfile.TemporaryDirectory() as place:
                self.found[peer.name] = peer(self.items, Path(place) / "features.npy")

        return lambda: work


def name_of(precision: str) -> str:
    """What icecore is called in tables."""
    return f"icecore, {precision}"


def compare(network: Network, given: Inputs, rounds: int, device: str, *, full: bool) -> dict[str, Any]:
    """Print a table; the figures of one network. After the first round only the usual loop and icecore go on."""
    items = given.items
    sides = Sides(network, items, device)
    peers = list(peers_of(network, device))
    if full:
        peers = [peer.at_its_best(items[:: max(1, len(items) // SAMPLE)]) for peer in peers]
    ours = {name_of(precision): sides.ours(precision) for precision in PRECISIONS}
    theirs = {peer.name: sides.peer(peer) for peer in peers}
    taken = alternate(ours | theirs, 1)
    usual = min((peer.name for peer in peers if not peer.optimised), key=lambda name: taken[name])
    for name, more in alternate(ours | {usual: theirs[usual]}, rounds - 1).items():
        taken[name] += more
    figures = {
        "items": len(items),
        "usual": usual,
        "seconds": taken,
        "medians": {name: statistics.median(times) for name, times in taken.items()},
        "ratios": {name: ratio(times, taken[usual][: len(times)]) for name, times in taken.items()},
        "settings": {peer.name: peer.settings for peer in peers},
        "tried": {peer.name: peer.tried for peer in peers},
        "engines": sides.engines,
        **agreement(sides, [peer.name for peer in peers if peer.comparable], given.labels if full else None),
    }
    table(network, figures)
    return figures


def agreement(sides: Sides, peers: Sequence[str], labels: np.ndarray | None) -> dict[str, Any]:
    """How far features are from those of the first peer, and whether they are worth the same to a probe."""
    reference, ours = peers[0], [name_of(precision) for precision in PRECISIONS]
    cosines = {n: 1 - apart(list(sides.found[n]), list(sides.found[reference]), "bfloat16") for n in (*ours, *peers)}
    if labels is None:
        return {"cosines": cosines, "probes": {}}
    probe = Probe(labels, 1 if len(labels) > MANY else FOLDS)
    found = worth(probe, {name: sides.found[name] for name in (*ours, reference)}, reference)
    return {"cosines": cosines, "probes": {name: one.json() for name, one in found.items()}}


def table(network: Network, figures: dict[str, Any]) -> None:
    """Print the figures of one network."""
    n, probes = figures["items"], figures["probes"]
    show(
        f"{network.name}, {n:,} items",
        ("side", "seconds", "items/s", "times the usual loop", "least cosine", "probe", "settings"),
        [
            (
                name, f"{seconds:.1f}", f"{n / seconds:.1f}", f"{figures['ratios'][name]:.2f}",
                f"{figures['cosines'][name]:.4f}" if name in figures["cosines"] else "other weights",
                _said(probes[name]) if name in probes else "", figures["settings"].get(name, ""),
            )
            for name, seconds in figures["medians"].items()
        ],
    )  # fmt: skip
    for precision, why in figures["engines"].items():
        print(f"  {precision}: {why}")


def _said(probe: dict[str, Any]) -> str:
    return f"{probe['accuracy'][0]:.3f}{'' if probe['same'] else ' (differs)'}"


def summary(found: dict[str, Any]) -> dict[str, float]:
    """Print the ratios of all networks; their geometric means."""
    means = {p: statistics.geometric_mean(one["ratios"][name_of(p)] for one in found.values()) for p in PRECISIONS}
    show(
        "Times as fast as the fastest usual loop",
        ("network", *PRECISIONS),
        [
            *((name, *(f"{one['ratios'][name_of(p)]:.1f}" for p in PRECISIONS)) for name, one in found.items()),
            ("geometric mean", *(f"{means[p]:.1f}" for p in PRECISIONS)),
        ],
    )
    return means


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0], only=NAMES)
    rounds = chosen.rounds or (3 if chosen.full else 1)
    found = kept(chosen, "networks")
    with tempfile.TemporaryDirectory() as place:
        for network in networks(Path(place), chosen.only):
            given = inputs_of(network.modality, Path(place) / f"inputs of {network.name}", network.n[chosen.full])
            found[network.name] = compare(network, given, rounds, chosen.device, full=chosen.full)
    finish(chosen, {"networks": found, "geometric_means": summary(found)})


if __name__ == "__main__":
    main()
