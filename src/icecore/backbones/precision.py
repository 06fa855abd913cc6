"""The precision that a network runs in.

A network is loaded in float32. In bfloat16 a copy of it runs whose numbers are of that type, with images laid out
channels last, which is how processors with bfloat16 units want them. Networks that mix types cannot run so; torch's
autocast then lowers what it knows to be safe.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from icecore.errors import UsageError

FLOAT32, BFLOAT16 = "float32", "bfloat16"
PRECISIONS = (FLOAT32, BFLOAT16)


def require_precision(name: str) -> str:
    """A precision by its name. Raises UsageError."""
    if name not in PRECISIONS:
        raise UsageError(f"There is no precision {name!r}.", expected=f"Known are {' and '.join(PRECISIONS)}.")
    return name


class Lowered:
    """A network in bfloat16.

    Args:
        module: in float32; stays as it is.
        device: where it runs.
        forward: runs a module on a probe; tells whether the copy works.

    Attributes:
        module: what runs, with the same module paths.
    """

    def __init__(self, module: nn.Module, device: torch.device, forward: Callable[[nn.Module, Lowered], Any]) -> None:
        self._device = device
        self._casts = True
        self.module = copy.deepcopy(module).to(torch.bfloat16)
        try:
            self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # of what has four axes
            with torch.inference_mode():
                forward(self.module, self)
        except (RuntimeError, TypeError, ValueError):  # types that do not go together
            self.module, self._casts = module, False

    def context(self) -> AbstractContextManager[Any]:
        """What a pass runs under."""
        return nullcontext() if self._casts else torch.autocast(self._device.type, torch.bfloat16)

    def inputs(self, stacked: Any) -> Any:
        """Inputs as the network takes them: real numbers in bfloat16, whole ones and masks as they are."""
        if isinstance(stacked, Mapping):
            return {name: self.inputs(value) for name, value in stacked.items()}
        if not self._casts or not isinstance(stacked, Tensor) or not stacked.is_floating_point():
            return stacked
        layout = torch.channels_last if stacked.dim() == 4 else torch.preserve_format
        return stacked.to(torch.bfloat16, memory_format=layout)
