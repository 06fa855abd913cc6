"""`GraphBackbone`: a file that holds a whole graph of operators, run by an engine of its own. Any tensor is a layer."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from icecore.backbones.axes import axes_of, image_size
from icecore.backbones.base import INPUT, LAST, LOGITS, Layer, Licence, Preprocessing, Reduce
from icecore.backbones.graph_layers import Node, block_ends, classifier, depends_on
from icecore.backbones.layers import no_such_layer
from icecore.backbones.trace import PROBE_ITEMS
from icecore.data import modality_of
from icecore.errors import BackboneError, PreprocessingError

Values = dict[str, np.ndarray]


class Engine(Protocol):
    """Runs the graph of a file.

    Attributes:
        input: name of the tensor that the items go into.
        item_shape: its shape without the batch axis; None where a size is free.
        result: name of the graph's first output.
        nodes: its operators in run order.
        channels_last: whether images have their channels last; None where that must be seen from shapes.
        digest: of the whole file.
        parameters: how many numbers its weights are.
        device: where it runs.
    """

    input: str
    item_shape: tuple[int | None, ...]
    result: str
    nodes: Sequence[Node]
    channels_last: bool | None
    digest: str
    parameters: int
    device: torch.device

    def run(self, batch: np.ndarray, tensors: Sequence[str]) -> Values:
        """Tensors of numbers, dequantised to float32, with the batch axis. Raises RuntimeError where it cannot run."""
        ...

    def to(self, device: torch.device) -> None:
        """Run there from now on, where the engine can."""
        ...


class GraphBackbone:
    """A graph in a file as an extractor. Implements `Extractor`.

    Layers are tensors in run order. `last` is what the final dense layer reads, or else the result.

    Args:
        engine: runs it.
        id: as the user wrote it.
        provider: our name and version of the computation, such as `onnx.v1`.
        architecture: what is chosen beside the file, in JSON form.
        preprocessing: from a decoded input to a float32 array.
        licence: of the weights.
        source: where the file is.
        notes: what the user should be told.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        id: str,  # noqa: A002 - the public word for it
        provider: str,
        architecture: Mapping[str, Any],
        preprocessing: Preprocessing,
        licence: Licence,
        source: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.graph = engine
        self.id, self.provider, self.architecture = id, provider, architecture
        self.preprocessing, self.modality = preprocessing, modality_of(preprocessing.value)
        self.licence, self.source = licence, source
        self._notes = tuple(notes)
        self._require_fit()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should be told."""
        alone = "the graph takes one item at a time, which is slower than a batch"
        return self._notes if self._batched else (*self._notes, alone)

    @property
    def device(self) -> torch.device:
        """Where the engine runs."""
        return self.graph.device

    @property
    def parameters(self) -> int:
        """How many numbers its weights are; quantised ones count as one each."""
        return self.graph.parameters

    def to(self, device: str | torch.device) -> GraphBackbone:
        """Run on a device, where the engine can; elsewhere it stays on the CPU. Returns itself."""
        self.graph.to(torch.device(device))
        return self

    def prepare(self, decoded: Any) -> np.ndarray:
        """Preprocess one decoded input to a float32 array without batch axis."""
        return np.asarray(self.preprocessing(decoded), np.float32)

    def bucket(self, prepared: np.ndarray) -> Hashable:
        """Only inputs of one shape share a batch."""
        return prepared.shape

    def layers(self) -> Mapping[str, Layer]:
        """Every tensor that can be taken, in run order: `input`, tensors by name, `last`, `logits`."""
        return self._layers

    def weights_digest(self, layer: str) -> str:
        """Hash of the whole file. Raises LayerError."""
        self._require([layer])
        return self.graph.digest

    def run(self, batch: Sequence[np.ndarray], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Run the graph as far as the last layer asked for, and reduce each activation.

        Raises LayerError where there is no such layer.
        """
        self._require(layers)
        stacked = np.stack(list(batch))
        values = self._run(stacked, sorted({self._tensors[name] for name in layers if name != INPUT}))
        found = {}
        for name in layers:
            value = torch.from_numpy(stacked if name == INPUT else values[self._tensors[name]])
            activation = value[:, None] if value.dim() == 1 else value
            kept = reduce(self._layers[name], activation)
            found[name] = kept.clone() if name == INPUT else kept
        return found

    def _run(self, stacked: np.ndarray, tensors: Sequence[str]) -> Values:
        if not tensors:
            return {}
        if self._batched:
            return self.graph.run(stacked, tensors)
        return joined([self.graph.run(stacked[i : i + 1], tensors) for i in range(len(stacked))])

    @cached_property
    def _item(self) -> tuple[int, ...]:
        """Shape of one prepared input: what the preprocessing makes, else what the graph asks for."""
        made = getattr(self.preprocessing, "shape", None)
        if made is None and self.modality == "image":
            made = self.prepare(Image.new("RGB", (256, 256))).shape
        if made is None:
            made = tuple(size for size in self.graph.item_shape if size is not None)
            if len(made) < len(self.graph.item_shape):
                raise PreprocessingError(
                    f"{self.id} leaves open how large its input {self.graph.input} is: {self._asked}.",
                    expected='A preprocessing that says it, such as {"type": "tensor.v1", "shape": [...]}.',
                )
        return tuple(made)

    def _require_fit(self) -> None:
        asked, made = self.graph.item_shape, self._item
        fits = len(asked) == len(made) and all(a in (None, m) for a, m in zip(asked, made, strict=True))
        if not fits:
            turned = len(made) == 3 and asked == (made[1], made[2], made[0])
            raise PreprocessingError(
                f"The preprocessing makes inputs of shape {made}, and {self.id} takes {self._asked}.",
                do='Add "channels_last": true to it.' if turned else "Give the right one with --preprocess FILE.",
            )

    @property
    def _asked(self) -> str:
        return shape_text(self.graph.item_shape)

    @cached_property
    def _probed(self) -> tuple[bool, dict[str, tuple[int, ...]]]:
        """Whether items can share a batch, and the shapes of all tensors that have a row for each item."""
        generator = np.random.default_rng(0)
        probe = generator.random((PROBE_ITEMS, *self._item), np.float32)
        every = [name for node in depends_on(self.graph.nodes, self.graph.input) for name in node.outputs]
        try:
            alone = self.graph.run(probe[:1], every)
        except RuntimeError as error:
            raise BackboneError(
                f"{self.id} cannot run on an input of shape {self._item}: {error}.",
                do="Give the preprocessing that the network expects with --preprocess FILE; where channels come last, "
                'it says "channels_last": true.',
            ) from error
        together = self._together(probe, alone)
        items, values = (1, alone) if together is None else (PROBE_ITEMS, together)
        taken = {name: value.shape for name, value in values.items() if _has_rows(value, items)}
        return together is not None, taken

    def _together(self, probe: np.ndarray, alone: Values) -> Values | None:
        """What a batch gives; None where the graph is made for one item, or mixes several."""
        result = self.graph.result
        try:
            found = self.graph.run(probe, list(alone))
        except RuntimeError:
            return None
        if result not in found or found[result].shape[:1] != (len(probe),):
            return None
        return found if np.allclose(found[result][:1], alone[result], rtol=1e-3, atol=1e-4) else None

    @property
    def _batched(self) -> bool:
        return self._probed[0]

    @cached_property
    def _tensors(self) -> dict[str, str]:
        """Which tensor each layer is."""
        shapes = self._probed[1]
        found = {name: name for name in shapes if name not in (INPUT, LAST, LOGITS)}
        result = self.graph.result
        nodes = depends_on(self.graph.nodes, self.graph.input)
        head = classifier(nodes, result, shapes)
        if head is not None and head.inputs[0] in shapes:
            return found | {LAST: head.inputs[0], LOGITS: result}
        return found | ({LAST: result} if result in shapes else {})

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        shapes, size = self._probed[1], image_size(self._item)
        nodes = depends_on(self.graph.nodes, self.graph.input)
        ends = block_ends(nodes, self._tensors.get(LAST, self.graph.result), self._tensors)
        order = {name: i for i, name in enumerate(ends)}

        def layer(name: str, shape: tuple[int, ...]) -> Layer:
            axes = axes_of(shape, None, size, channels_last=self.graph.channels_last)
            return Layer(name, shape, axes, order.get(name))

        taken = [layer(name, shapes[tensor][1:] or (1,)) for name, tensor in self._tensors.items()]
        return {each.name: each for each in [layer(INPUT, self._item), *taken]}

    def _require(self, layers: Sequence[str]) -> None:
        for name in layers:
            if name not in self._layers:
                raise no_such_layer(self, name)


def joined(parts: Sequence[Values]) -> Values:
    """Values of several runs, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape for people.

    Example:
        >>> shape_text((None, 3))
        '(?, 3)'
    """
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"


def _has_rows(value: np.ndarray, items: int) -> bool:
    """Whether the first axis counts the items. A single item has none where there is only that axis."""
    return value.shape[:1] == (items,) and value.size > 0 and (items > 1 or value.ndim > 1)
