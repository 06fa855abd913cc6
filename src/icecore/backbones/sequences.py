"""`SequenceBackbone`: torch networks whose inputs have lengths of their own, such as tokens of a text.

An input is one or more windows. All windows of a batch are padded and forwarded together; then padding is cut away from
whatever has a place for every step, the windows of one input are joined, and inputs of equal length are reduced
together. So pooling sees real steps only and needs no masks. What has no place for every step is averaged over the
windows, each counted by its real steps, as a mean over the steps themselves would.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icecore.backbones.base import INPUT, Layer, Reduce
from icecore.backbones.device import moved
from icecore.backbones.layers import describe
from icecore.backbones.network import TorchBackbone
from icecore.backbones.trace import PROBE_ITEMS
from icecore.errors import BackboneError

MAP = ("channels", "height", "width")
JOINED = {"windows": "by-length.v1"}  # in the architecture, and so in keys: how the windows of an input are joined
FREE = -1  # in a layer's shape: as long as the input
_ACTIVATION_BYTES = 24 << 20  # as in icecore.features.forward, which cannot know how long an input is


@dataclass(frozen=True, slots=True)
class Window:
    """What the network sees at once.

    Attributes:
        inputs: by the name of the forward's argument, without batch axis. Those whose last axis has `length` places are
            padded there.
        length: steps, all of them real.
    """

    inputs: Mapping[str, Tensor]
    length: int


@dataclass(frozen=True, slots=True)
class Windows:
    """A prepared input.

    Attributes:
        windows: at least one.
        decoded: what it was made of, for the layer `input`.
    """

    windows: tuple[Window, ...]
    decoded: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of windows, and steps of the longest."""
        return len(self.windows), max(window.length for window in self.windows)


class SequenceBackbone(TorchBackbone):
    """A frozen torch network for sequences. Its preprocessing gives `Windows`; its forward takes them by name.

    Args:
        module: the network.
        samples: two decoded inputs, the first shorter: which axes of a layer follow the length is seen by trying both.
        axis: what such an axis is called, `tokens` or `frames`.
        prefix_tokens: how many steps at the start of every window are no places in the input (a class token).
        padding: by the name of an argument, what it is padded with; 0 for those not named.
        mask: name of the argument that is 1 for real steps and 0 for padding; None where the forward has none.
        maps: activations with three axes are channels, and places along two, as torch's own convolutions make them.
        equal_lengths: let only windows of one length share a batch, where the network's own arithmetic mixes padding
            in; the preprocessing then makes all windows of an input equally long.
        pad_to: length that every window is padded to, for networks that read padding as they do words; pooling still
            sees real steps only. None pads to the longest of a batch.
        steps: (steps of a layer, padded length, real length) -> real steps of the layer, where that is not in
            proportion.
        raw: from a decoded input to the layer `input`, a vector of float32; there is no such layer where None.
        others: see `TorchBackbone`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        samples: tuple[Any, Any],
        axis: str = "tokens",
        prefix_tokens: int = 0,
        padding: Mapping[str, float] | None = None,
        mask: str | None = "attention_mask",
        maps: bool = False,
        equal_lengths: bool = False,
        pad_to: int | None = None,
        steps: Callable[[int, int, int], int] | None = None,
        raw: Callable[[Any], Any] | None = None,
        **others: Any,
    ) -> None:
        others["architecture"] = {**others["architecture"], **JOINED}
        super().__init__(module, sample=samples[1], **others)
        self._shorter, self._axis, self._prefix = samples[0], axis, prefix_tokens
        self._padding, self._mask, self._equal = padding or {}, mask, equal_lengths
        self._maps, self._pad_to = maps, pad_to
        self._steps, self._raw = steps or _in_proportion, raw

    def prepare(self, decoded: Any) -> Windows:
        """Preprocess one decoded input."""
        prepared: Windows = self.preprocessing(decoded)
        return prepared

    def prepare_all(self, decoded: Sequence[Any]) -> Iterable[Windows]:
        """Preprocess several decoded inputs: together, where the preprocessing has a way to (`every`)."""
        every: Callable[[Sequence[Any]], Iterable[Windows]] = getattr(
            self.preprocessing, "every", partial(map, self.prepare)
        )
        return every(decoded)

    @property
    def measured(self) -> bool:
        """Whether a batch is measured by its tokens: inputs of any lengths are padded to share one."""
        return self._axis == "tokens" and not self._equal and self._pad_to is None

    def bucket(self, prepared: Windows) -> Hashable:
        """Inputs of similar length share a batch: at most a quarter of it is padding."""
        if self._equal:
            return tuple(window.length for window in prepared.windows)
        longest = prepared.shape[1]
        step = 1 << max(0, longest.bit_length() - 3)
        return -(-longest // step) * step

    def run(self, batch: Sequence[Windows], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """See `TorchBackbone.run`.

        `reduce` is called with inputs of equal length, so more than once for a layer; what it gives must have the same
        shape for all of them. On a CPU a long batch goes through in pieces.
        """
        self._require(layers)
        parts = [super(SequenceBackbone, self).run(piece, layers, reduce) for piece in self.pieces(batch)]
        return {name: torch.cat([part[name] for part in parts]) for name in layers}

    def pieces(self, batch: Sequence[Windows]) -> list[Sequence[Windows]]:
        """The batch in parts that suit the device."""
        size = self._suits(batch)
        return [batch[i : i + size] for i in range(0, len(batch), size)]

    def whole(self, layer: str) -> bool:
        """Padding is cut away and windows are joined before anything is pooled."""
        del layer
        return False

    def probes(self) -> list[dict[str, Tensor]]:
        """Batches of `PROBE_ITEMS` items, the shorter first."""
        return [self.stack([self.prepare(sample)] * PROBE_ITEMS) for sample in self.samples]

    @property
    def samples(self) -> tuple[Any, Any]:
        """Two decoded inputs, the first shorter."""
        return self._shorter, self._sample

    @property
    def equal_lengths(self) -> bool:
        """Whether only windows of one length may share a batch."""
        return self._equal

    @property
    def probe_length(self) -> int:
        """Length of the longer probe."""
        return self.longest([self.prepare(self._sample)])

    def lengths(self, batch: Sequence[Windows]) -> list[tuple[int, ...]]:
        """Of each prepared input the lengths of its windows."""
        return [tuple(window.length for window in item.windows) for item in batch]

    def steps(self, size: int, padded: int, length: int) -> int:
        """Real steps of an axis of `size` steps, for a window of some length that was padded."""
        return max(1, self._steps(size, padded, length))

    def thin(self, prepared: Windows) -> Windows:
        """A prepared input without its real numbers: lengths, words and masks."""
        return Windows(tuple(Window(_thinned(window.inputs), window.length) for window in prepared.windows))

    def stack_thin(self, batch: Sequence[Windows]) -> dict[str, Tensor]:
        """As `stack`, of what `thin` left."""
        return self.stack(batch)

    def _suits(self, batch: Sequence[Windows]) -> int:
        if self.device.type != "cpu":
            return len(batch)
        steps = max(len(item.windows) for item in batch) * self.longest(batch)
        return max(1, int(_ACTIVATION_BYTES / (4 * self._numbers_a_step * steps)))

    @cached_property
    def _numbers_a_step(self) -> float:
        """Numbers of the largest activation, for each step of the input."""
        outputs = [call.output[1:] for call in self._ways[0].trace.calls.values() if call.takeable and call.output]
        return max(map(math.prod, outputs), default=1) / self._window(self._sample).length

    def longest(self, batch: Sequence[Windows]) -> int:
        """The length that windows are padded to."""
        return self._pad_to or max(item.shape[1] for item in batch)

    def stack(self, batch: Sequence[Windows]) -> dict[str, Tensor]:
        """The windows of all inputs, padded, as the arguments of the forward."""
        return self._padded_to(self.longest(batch), batch)

    def _padded_to(self, longest: int, batch: Sequence[Windows]) -> dict[str, Tensor]:
        """The windows of all inputs, padded, as the arguments of the forward."""
        windows = [window for item in batch for window in item.windows]
        stacked = {
            name: torch.stack([_padded(w.inputs[name], w.length, longest, self._padding.get(name, 0)) for w in windows])
            for name in windows[0].inputs
        }
        if self._mask is not None:
            lengths = torch.tensor([window.length for window in windows])
            stacked[self._mask] = (torch.arange(longest) < lengths[:, None]).long()
        return {name: moved(value, self.device) for name, value in stacked.items()}

    def raw(self, batch: Sequence[Windows], stacked: Any) -> Tensor:
        """The layer `input`, (n, d)."""
        del stacked
        assert self._raw is not None  # noqa: S101 - else there is no such layer
        return torch.stack([torch.as_tensor(self._raw(item.decoded), dtype=torch.float32) for item in batch])

    def _rows(self, name: str, batch: Sequence[Windows]) -> int:
        return len(batch) if name == INPUT else sum(len(item.windows) for item in batch)

    def reduced(self, layer: Layer, value: Tensor, batch: Sequence[Windows], reduce: Reduce) -> Tensor:
        """Each input whole, those of equal length together."""
        if layer.name == INPUT:
            return reduce(layer, value)
        longest = self.longest(batch)
        rows = torch.split(value, [len(item.windows) for item in batch])
        whole = [self._whole(layer, own, item, longest) for own, item in zip(rows, batch, strict=True)]
        return reduced_in_groups(layer, whole, reduce)

    def _whole(self, layer: Layer, rows: Tensor, item: Windows, longest: int) -> Tensor:
        """One input's activation: windows joined without padding and later prefixes, or averaged."""
        if FREE not in layer.shape:
            return averaged(rows, [max(1, window.length - self._prefix) for window in item.windows])
        axis = layer.shape.index(FREE)
        parts = []
        for number, (row, window) in enumerate(zip(rows, item.windows, strict=True)):
            end = self.steps(row.shape[axis], longest, window.length)
            start = layer.prefix_tokens if number else 0
            parts.append(row.narrow(axis, start, end - start))
        return torch.cat(parts, axis)

    def _probe(self) -> dict[str, Tensor]:
        return self._probed(self._sample)

    def _probed(self, sample: Any) -> dict[str, Tensor]:
        window = self._window(sample)
        return self._padded_to(window.length, [Windows((window,))] * PROBE_ITEMS)

    def _window(self, sample: Any) -> Window:
        return self.prepare(sample).windows[0]

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        if self._window(self._shorter).length >= self._window(self._sample).length:
            raise BackboneError(
                f"{self.id} cuts its inputs to {self._window(self._sample).length} steps, too few to look at it.",
                do="Let it see longer inputs.",
            )
        raw = () if self._raw is None else tuple(self._raw(self.prepare(self._sample).decoded).shape)
        shorter = describe(self.module, self._ways_on(self._probed(self._shorter)), raw)
        longer = self._described(raw)
        both = [self._freed(layer, shorter[name].shape) for name, layer in longer.items() if name in shorter]
        return {layer.name: layer for layer in both if layer is not None and (raw or layer.name != INPUT)}

    def _described(self, raw: tuple[int, ...]) -> dict[str, Layer]:
        layers = describe(self.module, self._ways, raw)
        return {name: replace(layer, axes=MAP) if self._is_map(layer) else layer for name, layer in layers.items()}

    def _is_map(self, layer: Layer) -> bool:
        return self._maps and len(layer.shape) == 3

    def _freed(self, layer: Layer, shorter: tuple[int, ...]) -> Layer | None:
        """With the axis that follows the length named and free; None where several do."""
        free = [i for i, (a, b) in enumerate(zip(layer.shape, shorter, strict=True)) if a != b]
        if len(free) != 1:
            return None if free else layer
        shape = tuple(FREE if i in free else size for i, size in enumerate(layer.shape))
        others = ["channels"] * 2 if len(shape) == 2 else [f"axis{i}" for i in range(len(shape))]
        others = list(layer.axes) if self._is_map(layer) else others
        axes = tuple(self._axis if i in free else name for i, name in enumerate(others))
        return replace(layer, shape=shape, axes=axes, prefix_tokens=0 if free[0] else self._prefix)


def reduced_in_groups(layer: Layer, rows: Sequence[Tensor], reduce: Reduce) -> Tensor:
    """Reduce one tensor an item, those of equal shape together. Returns what is kept, in the order of the items."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, one in enumerate(rows):
        groups[tuple(one.shape)].append(place)
    kept: list[Tensor] = list(rows)
    for places in groups.values():
        for place, row in zip(places, reduce(layer, torch.stack([rows[i] for i in places])), strict=True):
            kept[place] = row
    return torch.stack(kept)


def _thinned(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: torch.full((), torch.nan).expand(value.shape) if value.is_floating_point() else value
        for name, value in inputs.items()
    }


def averaged(rows: Tensor, lengths: Sequence[int]) -> Tensor:
    """The mean of rows, each counted as often as it has steps. (n, ...) -> (...).

    Example:
        >>> averaged(torch.tensor([[0.0], [4.0]]), [3, 1])
        tensor([1.])
    """
    weights = torch.tensor(lengths, dtype=rows.dtype, device=rows.device)
    return (rows * (weights / weights.sum()).view(-1, *[1] * (rows.dim() - 1))).sum(0)


def _padded(value: Tensor, length: int, longest: int, fill: float) -> Tensor:
    return F.pad(value, (0, longest - length), value=fill) if value.shape[-1:] == (length,) else value


def _in_proportion(steps: int, padded: int, length: int) -> int:
    return -(-steps * length // padded)
