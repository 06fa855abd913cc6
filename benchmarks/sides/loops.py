"""What peers have in common: a way from inputs to features, and the settings that suit it best."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.common import THREADS

Work = Callable[[Sequence[Any], int, int], np.ndarray]  # (inputs, loading processes, batch size) -> (n, features)
LARGE, SMALL = 32, 4  # batches: as all of them document, and one that may suit a processor better


@dataclass(frozen=True)
class Peer:
    """Another library, ready to run.

    Attributes:
        name: in tables.
        work: from inputs to features.
        optimised: whether it computes by anything but torch's eager mode in float32.
        comparable: whether its features are those of the same weights.
        workers, batch_size: its settings.
        may_load: whether processes of its own may load the inputs.
        tried: items a second on the sample, for each setting that was tried.
    """

    name: str
    work: Work
    optimised: bool = False
    comparable: bool = True
    workers: int = 0
    batch_size: int = LARGE
    may_load: bool = True
    tried: Mapping[str, float] = field(default_factory=dict, compare=False)

    def __call__(self, inputs: Sequence[Any], file: Path) -> np.ndarray:
        """From inputs to features in a file."""
        found = self.work(inputs, self.workers, self.batch_size)
        np.save(file, found)
        return found

    def at_its_best(self, inputs: Sequence[Any]) -> Peer:
        """With the settings that are fastest on some inputs."""
        numbers = (0, THREADS) if self.may_load else (0,)
        settings = [replace(self, workers=w, batch_size=b) for b in (LARGE, SMALL) for w in numbers]
        self.work(inputs[:SMALL], 0, SMALL)  # what a first run sets up is no setting's fault
        rates = {peer: len(inputs) / _seconds(peer, inputs) for peer in settings}
        best = max(rates, key=lambda peer: rates[peer])
        return replace(best, tried={peer.settings: rate for peer, rate in rates.items()})

    @property
    def settings(self) -> str:
        """In words."""
        loading = f", {self.workers} loading processes" if self.workers else ""
        return f"batches of {self.batch_size}{loading}"


def _seconds(peer: Peer, inputs: Sequence[Any]) -> float:
    begin = time.perf_counter()
    peer.work(inputs, peer.workers, peer.batch_size)
    return time.perf_counter() - begin


class Loaded(torch.utils.data.Dataset[Any]):
    """Inputs, each loaded when it is its turn."""

    def __init__(self, inputs: Sequence[Any], load: Callable[[Any], Any]) -> None:
        self._inputs, self._load = inputs, load

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, index: int) -> Any:
        return self._load(self._inputs[index])


def batches(inputs: Sequence[Any], load: Callable[[Any], Any], workers: int, batch_size: int, **others: Any) -> Any:
    """A torch loader over inputs."""
    return torch.utils.data.DataLoader(Loaded(inputs, load), batch_size=batch_size, num_workers=workers, **others)


def opened(path: Path) -> Image.Image:
    """A photograph."""
    return Image.open(path).convert("RGB")
