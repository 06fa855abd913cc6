"""Networks that see windows of one fixed size: an input is as many of them as it needs, and its features their mean."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from icecore.backbones.base import INPUT, Extractor, Layer, Reduce
from icecore.backbones.device import moved
from icecore.backbones.sequences import JOINED, SequenceBackbone, Windows
from icecore.data import Windowed, sound_summary, summary_size

_ACTIVATION_BYTES = 24 << 20  # as in icecore.features.forward, which counts items and not their windows
_AT_ONCE = 32


class FixedWindows(SequenceBackbone):
    """A frozen torch network for windows of one size.

    Args:
        module: the network.
        frames: sizes of axes that run over the whole window in time, of which padding is cut away.
        window: frames of a window, as its `length` counts them.
        others: see `SequenceBackbone`.
    """

    def __init__(self, module: Any, *, frames: Collection[int], window: int, **others: Any) -> None:
        super().__init__(
            module, axis="frames", mask=None, steps=lambda steps, _, real: -(-steps * real // window), **others
        )
        self._frames = frozenset(frames)

    def bucket(self, prepared: Windows) -> Hashable:
        """All windows are of one size."""
        del prepared
        return None

    def _suits(self, batch: Sequence[Windows]) -> int:
        if self.device.type != "cpu":
            return len(batch)
        windows = max(len(item.windows) for item in batch)
        return max(1, int(_ACTIVATION_BYTES / (4 * self._numbers * windows)))

    @cached_property
    def _numbers(self) -> int:
        """Of the largest activation of a window."""
        outputs = [call.output[1:] for call in self._ways[0].trace.calls.values() if call.takeable and call.output]
        return max(map(math.prod, outputs), default=1)

    def stack(self, batch: Sequence[Windows]) -> dict[str, Tensor]:
        """The windows of all inputs, as the arguments of the forward."""
        windows = [window for item in batch for window in item.windows]
        stacked = {name: torch.stack([window.inputs[name] for window in windows]) for name in windows[0].inputs}
        return {name: moved(value, self.device) for name, value in stacked.items()}

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        raw = () if self._raw is None else tuple(self._raw(self.prepare(self._sample).decoded).shape)
        layers = [self._timed(layer) for layer in self._described(raw).values()]
        return {layer.name: layer for layer in layers if layer is not None and (raw or layer.name != INPUT)}

    def _timed(self, layer: Layer) -> Layer | None:
        if layer.name == INPUT or len(layer.shape) != 2:
            return layer
        return self._freed(layer, tuple(size - 1 if size in self._frames else size for size in layer.shape))


class WindowedGraph:
    """An extractor for single windows of a sound, such as a graph in a file, as one for sounds of any length.

    Each layer is the mean over the windows, counted by their real length; `input` is the summary of the sound's bands.
    """

    def __init__(self, inner: Any) -> None:
        self.inner, self.architecture = inner, {**inner.architecture, **JOINED}

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # while it is being unpickled
            raise AttributeError(name)
        return getattr(self.inner, name)

    def to(self, device: str | torch.device) -> WindowedGraph:
        """Run there from now on. Returns itself."""
        self.inner.to(device)
        return self

    def layers(self) -> Mapping[str, Layer]:
        """Every layer that can be taken, in run order."""
        return self._layers

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        raw = Layer(INPUT, (summary_size(self.inner.preprocessing),), ("channels",))
        return {INPUT: raw, **{name: layer for name, layer in self.inner.layers().items() if name != INPUT}}

    def prepare(self, decoded: Any) -> Windowed:
        """The windows of one sound."""
        prepared: Windowed = self.inner.preprocessing(decoded)
        return prepared

    def bucket(self, prepared: Windowed) -> Hashable:
        """Any sounds may share a batch: their windows are of one size."""
        del prepared
        return None

    def run(self, batch: Sequence[Windowed], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Run all windows, average those of each sound, and reduce. Raises LayerError where there is no such layer."""
        means = self._means(batch, [name for name in layers if name != INPUT])
        if INPUT in layers:
            front = self.inner.preprocessing
            means[INPUT] = torch.stack([torch.from_numpy(sound_summary(front, item)) for item in batch])
        return {name: reduce(self._layers[name], means[name]) for name in layers}

    def _means(self, batch: Sequence[Windowed], layers: Sequence[str]) -> dict[str, Tensor]:
        if not layers:
            return {}
        owner = torch.tensor([place for place, item in enumerate(batch) for _ in item.windows])
        shares = torch.cat([torch.tensor(item.lengths) / sum(item.lengths) for item in batch])
        means: dict[str, Tensor] = {}
        for place, found in self._pieces(batch, layers):
            for name, value in found.items():
                here = slice(place, place + len(value))
                mean = means.setdefault(name, value.new_zeros(len(batch), *value.shape[1:]))
                mean.index_add_(0, owner[here], value * shares[here].view(-1, *[1] * (value.dim() - 1)))
        return means

    def _pieces(self, batch: Sequence[Windowed], layers: Sequence[str]) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """A number of windows at a time, with the place of the first."""
        windows = [window for item in batch for window in item.windows]
        for start in range(0, len(windows), _AT_ONCE):
            yield start, self.inner.run(windows[start : start + _AT_ONCE], layers, lambda _layer, value: value)


def over_windows(backbone: Any) -> Extractor:
    """The backbone; where it takes single windows of sounds, one that takes whole sounds."""
    windows = backbone.modality == "sound" and not isinstance(backbone, SequenceBackbone | WindowedGraph)
    return WindowedGraph(backbone) if windows else backbone
