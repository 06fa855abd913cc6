"""Several processes train as one: each takes its share of every batch, and gradients are averaged.

`accelerate launch` starts the processes and says who is who; without it there is one, and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from icecore.training.examples import Choice

_PATIENCE = timedelta(days=7)  # others wait while one runs the frozen part


class Sharing:
    """Who this process is among those that train together.

    Attributes:
        rank: from 0.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @staticmethod
    def found(device: torch.device) -> Sharing:
        """As `accelerate launch` (or torchrun) says. Joins the others. Raises MissingExtraError."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return Sharing()
        from icecore.backbones.extras import require

        join = require("accelerate", "accelerate").PartialState
        state: Any = join(cpu=device.type == "cpu", timeout=_PATIENCE)
        return Sharing(state.process_index, state.num_processes)

    @property
    def leads(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def share(self, choice: Choice) -> Choice:
        """This process's part of a batch: every so many items; at least one."""
        index, view = choice
        mine = slice(self.rank % len(index), None, self.size)
        return index[mine], view[mine]

    def weight(self, choice: Choice) -> int:
        """How much this process's part of a batch counts, so that the mean over all processes is that of its items."""
        n = len(choice[0])
        return n if n < self.size else self.size * len(self.share(choice)[0])

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Replace gradients by their mean over all processes."""
        if self.size > 1:
            for gradient in gradients:
                torch.distributed.all_reduce(gradient)
                gradient.div_(self.size)

    def told(self, value: Any) -> Any:
        """What the leading process has there."""
        if self.size == 1:
            return value
        holder = [value]
        torch.distributed.broadcast_object_list(holder, src=0)
        return holder[0]

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The leading process first, then the others, who find in the store what it wrote."""
        if not self.leads:
            torch.distributed.barrier()
        yield
        if self.leads and self.size > 1:
            torch.distributed.barrier()
