"""Conformance of backbones: what every `Extractor` must keep to, checked on a loaded network and a few inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from icecore.backbones import FREE, Cuttable, Extractor, Layer
from icecore.errors import LayerError
from icecore.prefix import prefix_key

_NUMBERS = 4096  # compared of one activation, evenly spread: every layer of a large network must fit in memory


def check_backbone(
    backbone: Extractor,
    decoded_inputs: Sequence[Any],
    *,
    again: Extractor | None = None,
    layers: Sequence[str] | None = None,
    tolerance: float = 1e-5,
) -> None:
    """Check that a backbone is a pure function of its input, and says the truth about itself.

    Args:
        backbone: the network.
        decoded_inputs: at least two different inputs that may share a batch, RGB images for instance.
        again: the same network, loaded a second time; its digests must be the same.
        layers: which to check; all where None.
        tolerance: relative difference, in the Euclidean norm, between an item alone and in company.

    Raises:
        AssertionError: with the sentence that says what is wrong.

    Example:
        >>> from PIL import Image
        >>> from icecore.backbones import load
        >>> images = [Image.new("RGB", (96, 96), colour) for colour in ("red", "green")]
        >>> check_backbone(load("icecore:vision-s@random", device="cpu"), images, layers=["stages.1", "last"])
    """
    _check_protocol(backbone)
    batch = [backbone.prepare(decoded) for decoded in decoded_inputs]
    _require(len(batch) > 1, "Give at least two inputs.")
    _require(len({backbone.bucket(item) for item in batch}) == 1, "The inputs must be of one bucket.")
    before = _state(backbone)
    context = _Context(backbone, batch, list(layers or backbone.layers()), tolerance)
    _check_alone(context)
    _check_order(context)
    _check_one_by_one(context)
    _check_frozen(backbone, before)
    _check_keys(backbone, again, context.layers)
    _check_refusal(backbone, batch)


def _check_protocol(backbone: Extractor) -> None:
    _require(isinstance(backbone, Extractor), "A backbone must have all that the Extractor protocol names.")
    for name, layer in backbone.layers().items():
        _require(layer.name == name, f"layers() must name {name!r} by its own name, not {layer.name!r}.")
        _require(len(layer.axes) == len(layer.shape), f"{name} has {len(layer.shape)} axes; it names {layer.axes}.")
    blocks = sorted(layer.block for layer in backbone.layers().values() if layer.block is not None)
    _require(blocks == list(range(len(blocks))), f"Blocks must count from 0 without gaps, not {blocks}.")


def _check_alone(context: _Context) -> None:
    """Each item alone is what it is in the batch, and so is a row beside copies of another item."""
    for i, item in enumerate(context.batch):
        context.same(context.run([item]), [i], "alone")
    beside = [context.batch[1], context.batch[0], *[context.batch[1]] * 3]
    context.same(context.run(beside), [1, 0, 1, 1, 1], "beside others")


def _check_order(context: _Context) -> None:
    places = list(range(len(context.batch)))[::-1]
    context.same(context.run([context.batch[i] for i in places]), places, "in another order")


def _check_one_by_one(context: _Context) -> None:
    """A layer asked for alone, where the forward stops early, is what it is in a pass for all."""
    for name in context.layers:
        found = context.run(context.batch, [name])
        _require(list(found) == [name], f"run() must give what was asked for, {name}; it gave {list(found)}.")
        context.same(found, list(range(len(context.batch))), "asked for alone")


def _check_frozen(backbone: Extractor, before: Mapping[str, str]) -> None:
    if not isinstance(backbone, Cuttable):
        return
    training = [name for name, part in backbone.module.named_modules() if part.training]
    _require(not training, f"The network must be in eval mode; {training[:3]} are not.")
    learning = [name for name, value in backbone.module.named_parameters() if value.requires_grad]
    _require(not learning, f"No gradients must be kept; {learning[:3]} require them.")
    after = _state(backbone)
    changed = [name for name in before if before[name] != after.get(name)]
    _require(
        not changed and len(before) == len(after), f"Running must change no weight or buffer; it changed {changed}."
    )


def _check_keys(backbone: Extractor, again: Extractor | None, layers: Sequence[str]) -> None:
    found = {layer: prefix_key(backbone, layer) for layer in layers}
    _require(len(set(found.values())) == len(found), "Keys must differ by layer.")
    if again is not None:
        other = [layer for layer in layers if prefix_key(again, layer) != found[layer]]
        _require(not other, f"Loaded twice, the network must have the same keys; {other[:3]} differ.")


def _check_refusal(backbone: Extractor, batch: Sequence[Any]) -> None:
    """A name that is not there is refused with the nearest one."""
    nearest = max(backbone.layers(), key=len)
    try:
        backbone.run(batch, [nearest + "~"], _sampled)
    except LayerError as error:
        _require(nearest in str(error), f"The error for {nearest + '~'!r} must name {nearest!r}; it says: {error}")
    else:
        raise AssertionError("run() must raise LayerError for a layer that is not there.")


class _Context:
    """A network, its inputs, and what they give in one pass together."""

    def __init__(self, backbone: Extractor, batch: Sequence[Any], layers: Sequence[str], tolerance: float) -> None:
        self.backbone, self.batch, self.layers, self.tolerance = backbone, batch, layers, tolerance
        self._together = self.run(batch)

    def run(self, batch: Sequence[Any], layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        return self.backbone.run(batch, list(layers or self.layers), _sampled)

    def same(self, found: Mapping[str, Tensor], places: Sequence[int], how: str) -> None:
        """Require that the rows found are those of these places in the batch."""
        for name, values in found.items():
            _require(len(values) == len(places), f"{name} must give one row for each item; it gave {len(values)}.")
            expected = self._together[name][list(places)]
            _require(not values.requires_grad, f"{name} must come without gradients.")
            difference = _relative(values, expected)
            _require(
                difference <= self.tolerance,
                f"{name} must be the same {how} as in the batch; it differs by {difference:.1e} (relative).",
            )


def _sampled(layer: Layer, value: Tensor) -> Tensor:
    """Some numbers of an activation, whose shape must be the layer's."""
    shape = tuple(value.shape[1:])
    fits = len(shape) == len(layer.shape) and all(b in (FREE, a) for a, b in zip(shape, layer.shape, strict=True))
    _require(fits, f"{layer.name} must have the shape {layer.shape} that layers() says, not {shape}.")
    flat = _as_long(layer, value.float()).flatten(1)
    return flat[:, :: -(-flat.shape[1] // _NUMBERS)]


def _as_long(layer: Layer, value: Tensor) -> Tensor:
    """Of an axis that is as long as the item, the first and last place and the mean, so that all rows are alike."""
    if FREE not in layer.shape:
        return value
    axis = layer.shape.index(FREE) + 1
    return torch.stack([value.select(axis, 0), value.select(axis, -1), value.mean(axis)], axis)


def _relative(found: Tensor, expected: Tensor) -> float:
    """The greatest relative distance of two rows."""
    size = expected.norm(dim=1).clamp(min=torch.finfo(torch.float32).tiny)
    return float(((found - expected).norm(dim=1) / size).nan_to_num(nan=torch.inf).max())


def _state(backbone: Extractor) -> dict[str, str]:
    if not isinstance(backbone, Cuttable):
        return {}
    state = {**dict(backbone.module.named_parameters()), **dict(backbone.module.named_buffers())}
    return {name: _digest(value) for name, value in state.items()}


def _digest(value: Tensor) -> str:
    return hashlib.sha256(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data).hexdigest()


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)
