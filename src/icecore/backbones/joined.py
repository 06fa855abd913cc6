"""`JoinedBackbone`: inputs of several parts, such as an image and a text, each read by a network of its own."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from icecore import keys
from icecore.backbones.base import INPUT, LAST, Extractor, Layer, Preprocessing, Reduce
from icecore.backbones.layers import no_such_layer

_THUMBNAIL = 16  # as in icecore.prefix.pooling
_ENDS = (INPUT, LAST)


@dataclass(frozen=True, slots=True)
class Joined:
    """A prepared input: what each network is given."""

    parts: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The parts' shapes, one after the other."""
        return tuple(size for part in self.parts for size in part.shape)


@dataclass(frozen=True)
class JoinedPreprocessing:
    """The preprocessing of each part, by its name."""

    parts: Mapping[str, Preprocessing]

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: those of the parts by name."""
        return {"type": "joined.v1", **{name: dict(part.value) for name, part in self.parts.items()}}

    def __call__(self, decoded: tuple[Any, ...]) -> tuple[Any, ...]:
        """Each part by its own."""
        return tuple(part(one) for part, one in zip(self.parts.values(), decoded, strict=True))


class JoinedBackbone:
    """Several frozen networks side by side. Implements `Extractor`.

    `last` holds the final representations of all, one after the other; the layers of each are there under its name,
    `image.last`, `text.last` and so on. `input`, where each has one, is a thumbnail of images and what texts have.

    Args:
        parts: the networks, by the modality of what they read, in the order of an input's parts. `last` of each is one
            vector an item.
        id: as the user wrote it.
    """

    def __init__(self, parts: Mapping[str, Extractor], *, id: str) -> None:  # noqa: A002 - the public word for it
        self.parts, self.id = dict(parts), id
        first = next(iter(self.parts.values()))
        self.provider, self.licence, self.source = first.provider, first.licence, first.source
        self.notes = tuple(dict.fromkeys(note for part in self.parts.values() for note in part.notes))
        self.modality = "+".join(self.parts)
        self.architecture = {"joined": {name: dict(part.architecture) for name, part in self.parts.items()}}
        self.preprocessing: Preprocessing = JoinedPreprocessing(
            {name: part.preprocessing for name, part in self.parts.items()}
        )
        self.device = getattr(first, "device", torch.device("cpu"))

    def to(self, device: str | torch.device) -> JoinedBackbone:
        """Move the networks. Returns itself."""
        for part in self.parts.values():
            if hasattr(part, "to"):
                part.to(device)
        self.device = torch.device(device)
        return self

    def layers(self) -> Mapping[str, Layer]:
        """`input`, those of each part with its name before, and `last`. Blocks are counted on from part to part."""
        return self._layers

    def weights_digest(self, layer: str) -> str:
        """Hash of the weights that a layer depends on: of its own network, for `last` of all. Raises LayerError."""
        digests = [self.parts[name].weights_digest(inner) for name, inner in self.of_parts(layer).items()]
        return keys.key("weights", digests) if layer in _ENDS else digests[0]

    def of_parts(self, layer: str) -> dict[str, str]:
        """What a layer is made of: the names of networks, each with its own layer. Raises LayerError."""
        self._require([layer])
        if layer in _ENDS:
            return dict.fromkeys(self.parts, layer)
        name, _, inner = layer.partition(".")
        return {name: inner}

    def prepare(self, decoded: tuple[Any, ...]) -> Joined:
        """Preprocess each part."""
        return Joined(tuple(part.prepare(one) for part, one in zip(self.parts.values(), decoded, strict=True)))

    def bucket(self, prepared: Joined) -> Hashable:
        """Inputs share a batch whose parts all do."""
        return tuple(part.bucket(one) for part, one in zip(self.parts.values(), prepared.parts, strict=True))

    def run(self, batch: Sequence[Joined], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Each network as far as it is asked for. See `Extractor.run`. Raises LayerError."""
        self._require(layers)
        found: dict[str, Tensor] = {}
        ends: dict[str, list[Tensor]] = {end: [] for end in _ENDS if end in layers}
        for place, name in enumerate(self.parts):
            own = self._run_part(name, [item.parts[place] for item in batch], layers, reduce)
            for end, values in ends.items():
                values.append(own.pop(end))
            found |= own
        for end, values in ends.items():
            found[end] = reduce(self._layers[end], torch.cat(values, 1))
        return {layer: found[layer] for layer in layers}

    def _run_part(self, name: str, batch: list[Any], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """What is kept of a network's layers by their names here; ends that are to be joined, as they are."""
        inner = [layer.removeprefix(f"{name}.") for layer in layers if layer.startswith(f"{name}.")]
        joined = [end for end in _ENDS if end in layers]
        asked = list(dict.fromkeys([*inner, *joined]))
        if not asked:
            return {}

        def keep(layer: Layer, value: Tensor) -> Tensor:
            if layer.name in _ENDS:
                return _vector(layer, value).clone()  # the network may go on to overwrite it
            return reduce(self._layers[f"{name}.{layer.name}"], value)

        kept = self.parts[name].run(batch, asked, keep)
        found = {f"{name}.{layer}": kept[layer] for layer in inner if layer != LAST}
        if LAST in inner:
            found[f"{name}.{LAST}"] = reduce(self._layers[f"{name}.{LAST}"], kept[LAST])
        return found | {end: kept[end] for end in joined}

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        each = {name: part.layers() for name, part in self.parts.items()}
        inner: dict[str, Layer] = {}
        for name, layers in each.items():
            before = sum(layer.block is not None for layer in inner.values())
            for layer in layers.values():
                if layer.name != INPUT:
                    block = None if layer.block is None else layer.block + before
                    inner[f"{name}.{layer.name}"] = replace(layer, name=f"{name}.{layer.name}", block=block)
        raw = [_size(layers[INPUT]) for layers in each.values() if INPUT in layers]
        start = {INPUT: Layer(INPUT, (sum(raw),), ("channels",))} if len(raw) == len(each) else {}
        width = sum(layers[LAST].shape[0] for layers in each.values())
        return {**start, **inner, LAST: Layer(LAST, (width,), ("channels",))}

    def _require(self, layers: Sequence[str]) -> None:
        for name in layers:
            if name not in self._layers:
                raise no_such_layer(self, name)


def _is_image(layer: Layer) -> bool:
    return {"height", "width"} <= set(layer.axes)


def _size(layer: Layer) -> int:
    """Numbers of what `_vector` makes of a layer."""
    return layer.shape[layer.axes.index("channels")] * (_THUMBNAIL**2 if _is_image(layer) else 1)


def _vector(layer: Layer, value: Tensor) -> Tensor:
    """(n, numbers): images as thumbnails, what is a vector as it is."""
    if not _is_image(layer):
        return value
    image = value if layer.axes[0] == "channels" else value.movedim(-1, 1)
    return F.adaptive_avg_pool2d(image, _THUMBNAIL).flatten(1)
