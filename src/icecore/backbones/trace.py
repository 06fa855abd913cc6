"""Run a network once and write down what happened: the order in which modules start and finish, and what they give.

Everything that is said about layers (their shapes, axes, blocks, which weights they depend on, where a pass may stop)
is read from this record, so no network needs a description of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from icecore.backbones.hooks import hooks
from icecore.backbones.tensors import first_tensor, result_tensor

PROBE_ITEMS = 3  # few, and a number that axes of other meaning seldom have
_LAST_LINEARS = 4  # outputs kept for the search of the classifier; all would be the memory of a whole pass


@dataclass(slots=True)
class Call:
    """What one module did in the probe pass. Times are counts of events, not seconds; shapes are those of last time."""

    started: int
    finished: int = -1
    times: int = 0
    last_started: int = -1
    output: tuple[int, ...] | None = None
    input: tuple[int, ...] | None = None

    @property
    def takeable(self) -> bool:
        """An output can be taken if its first axis counts the items."""
        return self.output is not None and len(self.output) >= 2 and self.output[0] == PROBE_ITEMS


@dataclass(slots=True)
class Trace:
    """The record of one pass over `PROBE_ITEMS` items.

    Attributes:
        calls: by module path, in the order of first start; the network itself is the empty path.
        result: shape of what the pass returned in the end.
        classifier: path of the linear layer that gives the result, as it is or through a softmax; or None.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    result: tuple[int, ...] = ()
    classifier: str | None = None


def trace(module: nn.Module, forward: Callable[[], Any]) -> Trace:
    """Record a pass. `forward` runs the network on `PROBE_ITEMS` items; no gradient is kept."""
    record = Trace()
    clock = iter(range(1 << 62))
    linears: deque[tuple[str, Tensor]] = deque(maxlen=_LAST_LINEARS)

    def before(name: str, args: Any, kwargs: Any) -> None:
        now = next(clock)
        call = record.calls.setdefault(name, Call(started=now))
        call.last_started = now
        call.input = _shape(first_tensor((args, kwargs)))

    def after(name: str, part: nn.Module, output: Any) -> None:
        call, value = record.calls[name], first_tensor(output)
        call.finished, call.times, call.output = next(clock), call.times + 1, _shape(value)
        if isinstance(part, nn.Linear) and value is not None:
            linears.append((name, value.clone()))

    with torch.inference_mode(), hooks(module, before, after):
        result = result_tensor(forward())
    record.result = tuple(result.shape)
    record.classifier = _classifier(linears, result)
    return record


def _shape(value: Tensor | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value.shape)


def _classifier(linears: Iterable[tuple[str, Tensor]], result: Tensor) -> str | None:
    """The last linear layer whose output is the result, or its logits or log-odds."""
    given = [name for name, value in linears if value.shape == result.shape and _gives(value, result)]
    return given[-1] if given else None


def _gives(value: Tensor, result: Tensor) -> bool:
    ends = (value, value.softmax(-1), value.log_softmax(-1), value.sigmoid())
    return any(torch.equal(end, result) for end in ends)
