"""From files to features on disk: icecore in both precisions against the usual loops of other libraries.

All sides have loaded networks with the same weights and as many threads, and take turns. icecore's time has everything
in it: choosing and making an engine, digests of files and weights, a fresh store. Peers run as they document themselves
and write an .npy file; each has the batch size and the number of loading processes that suit it best on a sample. The
fastest of those that compute in float32 by torch is the usual loop that icecore is compared with. Photographs are JPEG
files of 500 x 375 pixels, texts those of banking77, sounds those of ESC-10, five seconds at 44.1 kHz.
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

from benchmarks.common import Side, alternate, finish, options, ratio, show  # pins threads, so before NumPy

# isort: split
import numpy as np

from benchmarks.sides import inputs
from benchmarks.sides.loops import Peer
from benchmarks.sides.networks import NAMES, Network, networks
from benchmarks.sides.peers import peers_of
from icecore import PretrainedModel
from icecore.prefix.engines import apart

PRECISIONS = ("bfloat16", "float32")
SAMPLE = 96  # items to choose a peer's settings on


@dataclass
class Sides:
    """The sides of one comparison, with the features that each gave last, and why icecore took which engine."""

    network: Network
    items: Sequence[Any]
    found: dict[str, np.ndarray] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)

    def ours(self, precision: str) -> Side:
        """icecore with a fresh network and an empty store."""

        def begin() -> Callable[[], None]:
            gc.collect()  # engines of earlier rounds
            net = PretrainedModel.load(self.network.id, device="cpu", precision=precision)
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


def compare(network: Network, items: Sequence[Any], full: bool) -> dict[str, Any]:
    """Print a table; the figures of one network."""
    sides = Sides(network, items)
    peers = list(peers_of(network))
    if full:
        peers = [peer.at_its_best(items[:: max(1, len(items) // SAMPLE)]) for peer in peers]
    ours = {name_of(precision): sides.ours(precision) for precision in PRECISIONS}
    taken = alternate(ours | {peer.name: sides.peer(peer) for peer in peers}, 3 if full else 1)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    usual = min((peer.name for peer in peers if not peer.optimised), key=lambda name: medians[name])
    ratios = {name: ratio(times, taken[usual]) for name, times in taken.items()}
    settings = {peer.name: peer.settings for peer in peers}
    alike = {peer.name for peer in peers if peer.comparable} | set(ours)
    reference = sides.found[next(peer.name for peer in peers if peer.comparable)]
    cosines = {name: 1 - apart(list(sides.found[name]), list(reference), "bfloat16") for name in alike}
    show(
        f"{network.name}, {len(items):,} items",
        ("side", "seconds", "items/s", "times the usual loop", "least cosine", "settings"),
        [
            (name, f"{medians[name]:.1f}", f"{len(items) / medians[name]:.1f}", f"{ratios[name]:.2f}",
             f"{cosines[name]:.4f}" if name in cosines else "other weights", settings.get(name, ""))
            for name in taken
        ],
    )  # fmt: skip
    for precision, why in sides.engines.items():
        print(f"  {precision}: {why}")
    return {
        "items": len(items), "usual": usual, "seconds": taken, "ratios": ratios, "cosines": cosines,
        "settings": settings, "engines": sides.engines,
    }  # fmt: skip


def items_of(network: Network, place: Path, n: int) -> Sequence[Any]:
    """What a network is measured on."""
    if network.modality == "text":
        return inputs.texts(n)
    if network.modality == "sound":
        return inputs.sounds(place, n)
    return inputs.photographs(place, n)


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0], only=NAMES)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for network in networks(Path(place), chosen.only):
            folder = Path(place) / f"inputs of {network.name}"
            folder.mkdir()
            items = items_of(network, folder, network.n[chosen.full])
            found[network.name] = compare(network, items, chosen.full)
    means = {p: statistics.geometric_mean(one["ratios"][name_of(p)] for one in found.values()) for p in PRECISIONS}
    show(
        "Times as fast as the fastest usual loop",
        ("network", *PRECISIONS),
        [
            *((name, *(f"{one['ratios'][name_of(p)]:.1f}" for p in PRECISIONS)) for name, one in found.items()),
            ("geometric mean", *(f"{means[p]:.1f}" for p in PRECISIONS)),
        ],
    )
    finish(chosen, {"networks": found, "geometric_means": means})


if __name__ == "__main__":
    main()
