"""Run a network once and write down what happened: the order in which modules start and finish, and what they give.

Everything that is said about layers (their shapes, axes, blocks, which weights they depend on, where a pass may stop)
is read from this record, so no network needs a description of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

PROBE_ITEMS = 2


@dataclass(slots=True)
class Call:
    """What one module did in the probe pass. Times are counts of events, not seconds."""

    started: int
    finished: int = -1
    times: int = 0
    last_started: int = -1
    output: tuple[int, ...] | None = None
    input: tuple[int, ...] | None = None


@dataclass(slots=True)
class Trace:
    """The record of one probe pass over `PROBE_ITEMS` items.

    Attributes:
        calls: by module path, in the order of first start; the network itself is the empty path.
        result: the first tensor of what the network returned.
        classifier: path of the linear layer whose output is the result, or None.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    result: Tensor = field(default_factory=lambda: torch.empty(0))
    classifier: str | None = None


def trace(module: nn.Module, forward: Callable[[], Any]) -> Trace:
    """Record a pass. `forward` runs the network on two probe items; no gradient is kept."""
    record = Trace()
    clock = iter(range(1 << 62))
    linear_outputs: dict[str, Tensor] = {}

    def before(name: str, args: Any, kwargs: Any) -> None:
        now = next(clock)
        call = record.calls.setdefault(name, Call(started=now))
        call.last_started = now
        value = first_tensor((args, kwargs))
        call.input = None if value is None else tuple(value.shape)

    def after(name: str, part: nn.Module, output: Any) -> None:
        call = record.calls[name]
        call.finished, call.times = next(clock), call.times + 1
        value = first_tensor(output)
        call.output = None if value is None else tuple(value.shape)
        if isinstance(part, nn.Linear) and value is not None:
            linear_outputs[name] = value.detach().clone()

    with hooks(module, before, after), torch.inference_mode():
        returned = forward()
    record.result = result_tensor(returned)
    record.classifier = _classifier(linear_outputs, record.result)
    return record


@contextmanager
def hooks(
    module: nn.Module,
    before: Callable[[str, Any, Any], None],
    after: Callable[[str, nn.Module, Any], None],
    only: Collection[str] | None = None,
) -> Iterator[None]:
    """Call `before(path, args, kwargs)` and `after(path, module, output)` around the forwards of modules."""
    handles: list[Any] = []
    try:
        for name, part in module.named_modules():
            if only is not None and name not in only:
                continue
            handles.append(
                part.register_forward_pre_hook(lambda _m, a, k, name=name: before(name, a, k), with_kwargs=True)
            )
            handles.append(part.register_forward_hook(lambda m, _a, out, name=name: after(name, m, out)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of a tensor, tuple, list, mapping or model output, depth first."""
    if isinstance(value, Tensor):
        return value
    parts: Sequence[Any] = ()
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = value
    return next((found for part in parts if (found := first_tensor(part)) is not None), None)


def result_tensor(returned: Any) -> Tensor:
    """What a network gives in the end: its logits, else its pooled output, else its first tensor."""
    for name in ("logits", "pooler_output"):
        value = returned.get(name) if isinstance(returned, Mapping) else None
        if isinstance(value, Tensor):
            return value
    found = first_tensor(returned)
    if found is None:
        raise TypeError(f"The network returned {type(returned).__name__}, which holds no tensor.")
    return found


def _classifier(outputs: Mapping[str, Tensor], result: Tensor) -> str | None:
    """The last linear layer, if what it gives is what the network gives."""
    equal = [name for name, value in outputs.items() if value.shape == result.shape and torch.equal(value, result)]
    return equal[-1] if equal else None
