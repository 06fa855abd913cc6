"""Seeded random weights, for `@random`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def seeded(seed: int | None, build: Callable[[], T]) -> T:
    """Build with torch's generator seeded, and leave the caller's generator as it was. Seed 0 where none is given."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed or 0)
        return build()
