"""Ways through a network, and taking activations on the way.

A network has its own forward; some providers have another route besides, to the final representation that the
classifier does not read as it is. Each is traced once, and then run as far as the last layer asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from icecore.backbones.base import LAST
from icecore.backbones.device import whole_floats
from icecore.backbones.hooks import hooks
from icecore.backbones.tensors import first_tensor, result_tensor
from icecore.backbones.trace import Trace
from icecore.errors import BackboneError

END = 1 << 62
Forward = Callable[[nn.Module, Any], Any]
Take = Callable[[str, Tensor], None]


@dataclass(frozen=True, slots=True)
class Way:
    """A way through a network.

    Attributes:
        forward: runs it, from the module and a batch.
        trace: what a probe pass along it saw.
        result: the layer that its result is.
        classifier: path of the layer whose input is `last`, where that is so.
    """

    forward: Forward
    trace: Trace
    result: str
    classifier: str | None = None

    def time(self, layer: str) -> int | None:
        """When the layer is there, on the clock of the trace; None where it is not taken on this way."""
        if layer == self.result:
            return END
        if layer == LAST:
            return self.trace.calls[self.classifier].last_started if self.classifier else None
        call = self.trace.calls.get(layer)
        return call.finished if call is not None and call.takeable else None

    def run(self, module: nn.Module, batch: Any, layers: Collection[str], take: Take, *, leave: bool = True) -> None:
        """Take layers of this way, and `leave` it after the last of them."""
        times = {layer: self.time(layer) or 0 for layer in layers}
        stop = max(times, key=times.__getitem__)
        spots = {layer: self._spot(layer) for layer in layers if times[layer] != END}
        capture = _Capture(spots, stop if leave else None, take)
        only = {spot.path for spot in spots.values()}
        with whole_floats(), hooks(module, capture.before, capture.after, only=only):
            try:
                result = result_tensor(self.forward(module, batch))
            except Enough:
                return
        capture.require_all()
        if times[stop] == END:
            take(stop, result)

    def _spot(self, layer: str) -> _Spot:
        path = self.classifier or "" if layer == LAST else layer
        return _Spot(path, self.trace.calls[path].times, entering=layer == LAST)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a layer is taken: on entering or leaving a module, at that call of it."""

    path: str
    call: int
    entering: bool


class Enough(BaseException):
    """Not an error: the way out of a forward whose rest nobody asked for. No `except Exception` may catch it."""


class _Capture:
    """Hooks that take activations as they come, and leave the forward at the layer `stop`."""

    def __init__(self, spots: Mapping[str, _Spot], stop: str | None, take: Take) -> None:
        self._waiting, self._stop, self._take = dict(spots), stop, take
        self._entered: dict[str, int] = {}
        self._left: dict[str, int] = {}

    def before(self, path: str, args: Any, kwargs: Any) -> None:
        self._entered[path] = self._entered.get(path, 0) + 1
        self._at(_Spot(path, self._entered[path], entering=True), (args, kwargs))

    def after(self, path: str, _module: nn.Module, output: Any) -> None:
        self._left[path] = self._left.get(path, 0) + 1
        self._at(_Spot(path, self._left[path], entering=False), output)

    def _at(self, spot: _Spot, holder: Any) -> None:
        for layer in [layer for layer, wanted in self._waiting.items() if wanted == spot]:
            value = first_tensor(holder)
            if value is not None:
                self._take(layer, value)
                del self._waiting[layer]
            if layer == self._stop and not self._waiting:
                raise Enough

    def require_all(self) -> None:
        """Raise BackboneError where the forward took another course than in the probe pass."""
        if self._waiting:
            raise BackboneError(
                f"The layers {', '.join(self._waiting)} did not run on this input as they did on the probe input.",
                expected="A network that runs the same modules for every input.",
            )
