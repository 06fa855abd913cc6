"""torch's compiler, on processors and GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from icecore.prefix.engines.program import Program, flat


class Inductor:
    """A graph compiled by torch: on a GPU captured as CUDA graphs, one for each shape.

    Args:
        program: the pass, in the precision of the network.
        backbone: whose pass it is: says where it runs, and how inputs are lowered.
    """

    in_flight = 1

    def __init__(self, program: Program, backbone: Any) -> None:
        self._backbone, self._names = backbone, program.names
        on_gpu = backbone.device.type == "cuda"
        module = program.exported().module()
        self._run = torch.compile(module, mode="reduce-overhead") if on_gpu else torch.compile(module, dynamic=True)

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The program's outputs, float32."""
        stacked: Any = dict(zip(self._names, inputs, strict=True)) if self._names else inputs[0]
        with torch.no_grad(), self._backbone.running(stacked) as (_, lowered):
            return [value.cpu() for value in self._run(*flat(lowered, self._names))]
