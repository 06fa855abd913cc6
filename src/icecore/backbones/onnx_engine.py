"""ONNX Runtime as an engine: any tensor of a graph, computed no further than the last one asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from icecore.backbones import extras
from icecore.backbones.graph import Values, shape_text
from icecore.backbones.graph_files import digest_of
from icecore.backbones.graph_layers import Node
from icecore.backbones.onnx_weights import numbers_in
from icecore.errors import BackboneError, WeightsError

_KEPT = 8  # sessions, each for other tensors
_KINDS = {
    **dict.fromkeys(("Gemm", "MatMul"), "dense"),
    **dict.fromkeys(("Conv", "ConvTranspose", "QLinearConv", "ConvInteger"), "convolution"),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Softmax", "LogSoftmax"), "plain"),
    **dict.fromkeys(("Sigmoid", "Cast", "QuantizeLinear", "DequantizeLinear", "Dropout", "Pad"), "plain"),
    "Add": "addition",
}


@dataclass(frozen=True, slots=True)
class GraphInput:
    """An input of the graph: its name, its numbers' type, and its shape with None where a size is free."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} ({self.dtype}, {shape_text(self.shape)})"


class OnnxEngine:
    """A graph of ONNX Runtime. Implements `Engine`.

    Args:
        path: the file; weights kept beside it are found there.
        input: name of the input that the items go into; None for the first that takes measured numbers.
        constants: what the other inputs always get, by name: numbers, which fill the input.

    Raises:
        WeightsError: it is no ONNX file, or weights kept beside it are not there.
        BackboneError: an input gets nothing, or none takes measured numbers.
    """

    channels_last: bool | None = None

    def __init__(self, path: Path, input: str | None = None, constants: Mapping[str, Any] | None = None) -> None:  # noqa: A002 - ONNX's own word
        self._model = _read(path)
        self._folder = str(path.resolve().parent)
        self.files = [path, *_beside(self._model, path)]
        self.digest = digest_of(self.files)
        graph = self._model.graph
        weights = {tensor.name for tensor in graph.initializer}
        inputs = [_input(value) for value in graph.input if value.name not in weights]
        self._main = _main(inputs, input, constants or {}, path)
        self._constants = _constants(inputs, self._main, constants or {}, path)
        self.input, self.item_shape = self._main.name, self._main.shape[1:]
        self.assumed = sorted(set(self._constants) - set(constants or {}))
        self.result, self.parameters = graph.output[0].name, numbers_in(graph)
        self.nodes: Sequence[Node] = [_node(node, weights) for node in graph.node]
        self.device = torch.device("cpu")
        self._sessions: OrderedDict[tuple[str, ...], Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Without sessions, which belong to this process."""
        return {**self.__dict__, "_sessions": OrderedDict()}

    @property
    def asked(self) -> str:
        """The main input, for people."""
        return str(self._main)

    @property
    def licence(self) -> str:
        """What the file's own metadata states; empty where it says nothing."""
        stated = {entry.key.lower(): entry.value for entry in self._model.metadata_props}
        return str(stated.get("license", ""))

    def to(self, device: torch.device) -> None:
        """Run on a GPU where ONNX Runtime is built for it; else on the CPU."""
        runtime = extras.require("onnxruntime", "onnx")
        wanted = device if "CUDAExecutionProvider" in runtime.get_available_providers() else torch.device("cpu")
        if wanted != self.device:
            self.device = wanted
            self._sessions.clear()

    def run(self, batch: np.ndarray, tensors: Sequence[str]) -> Values:
        """Tensors of real numbers in float32. Raises RuntimeError where the graph cannot run on the batch."""
        feeds = {name: _filled(one, value, len(batch)) for name, (one, value) in self._constants.items()}
        feeds[self.input] = _cast(batch, self._main.dtype)
        try:
            session = self._session(tuple(tensors))
            found = session.run(list(tensors), feeds)
        except Exception as error:  # ONNX Runtime's own errors have no common base but Exception
            raise RuntimeError(str(error).partition("\n")[0]) from error
        real = zip(tensors, found, strict=True)
        return {name: np.asarray(value, np.float32) for name, value in real if _is_real(value)}

    def _session(self, tensors: tuple[str, ...]) -> Any:
        """A session that ends at the last of these tensors."""
        if tensors not in self._sessions:
            self._sessions[tensors] = self._made(tensors)
        self._sessions.move_to_end(tensors)
        while len(self._sessions) > _KEPT:
            self._sessions.popitem(last=False)
        return self._sessions[tensors]

    def _made(self, tensors: tuple[str, ...]) -> Any:
        runtime = extras.require("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        options.log_severity_level = 3  # what is cut off leaves weights unused, of which it would warn
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", self._folder)
        kinds = ["CUDAExecutionProvider"] if self.device.type == "cuda" else []
        return runtime.InferenceSession(
            self._cut(tensors).SerializeToString(), options, providers=[*kinds, "CPUExecutionProvider"]
        )

    def _cut(self, tensors: tuple[str, ...]) -> Any:
        """The graph up to the last node that gives one of these tensors, which become its outputs."""
        onnx = extras.require("onnx", "onnx")
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph, wanted = model.graph, set(tensors)
        last = max((i for i, node in enumerate(graph.node) if wanted.intersection(node.output)), default=-1)
        del graph.node[last + 1 :]
        declared = {value.name: value for value in graph.output}
        outputs = [declared.get(name) or onnx.ValueInfoProto(name=name) for name in tensors]
        del graph.output[:]
        graph.output.extend(outputs)
        return model


def _read(path: Path) -> Any:
    onnx = extras.require("onnx", "onnx")
    extras.require("onnxruntime", "onnx")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, or whatever a damaged file makes it raise
        raise WeightsError(
            f"{path} is no ONNX file that can be read: {error}.", do="Export or copy it again."
        ) from error
    if not model.graph.node or not model.graph.output:
        raise WeightsError(
            f"{path} is no ONNX file that can be read: it holds no graph.", do="Export or copy it again."
        )
    return model


def _beside(model: Any, path: Path) -> list[Path]:
    """Files with weights that the graph keeps outside."""
    places = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data
              if entry.key == "location"}  # fmt: skip
    files = [path.parent / place for place in sorted(places)]
    lost = [file for file in files if not file.is_file()]
    if lost:
        raise WeightsError(f"{path} keeps weights in {lost[0]}, which is not there.", do="Copy that file beside it.")
    return files


def _input(value: Any) -> GraphInput:
    onnx = extras.require("onnx", "onnx")
    kind = value.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)) if kind.elem_type else np.dtype(object)
    return GraphInput(value.name, dtype, tuple(dim.dim_value or None for dim in kind.shape.dim))


def _main(inputs: Sequence[GraphInput], name: str | None, constants: Mapping[str, Any], path: Path) -> GraphInput:
    """The input that the items go into."""
    every = ", ".join(map(str, inputs))
    unknown = {name, *constants} - {one.name for one in inputs} - {None}
    if unknown:
        raise BackboneError(f"{path} has no input {min(map(str, unknown))!r}.", expected=f"Its inputs are {every}.")
    measured = [one for one in inputs if one.dtype.kind == "f" or one.dtype.itemsize == 1]
    fits = [one for one in measured if one.name == (name or one.name) and one.name not in constants and one.shape]
    if not fits:
        raise BackboneError(
            f"{path} has no input for measured numbers; its inputs are {every}.",
            expected="An input of floats or bytes with a batch axis. Graphs that take tokens are not run from ONNX.",
            do="For a text network use the folder that it was exported from: hf:FOLDER.",
        )
    return fits[0]


def _constants(
    inputs: Sequence[GraphInput], main: GraphInput, given: Mapping[str, Any], path: Path
) -> dict[str, tuple[GraphInput, Any]]:
    """What the other inputs get: what was given, zeros for states. Raises BackboneError where that cannot be known."""
    others = [one for one in inputs if one is not main]
    missing = [one for one in others if one.name not in given and one.dtype.kind != "f"]
    if missing:
        raise BackboneError(
            f"{path} has other inputs beside {main}: {', '.join(map(str, others))}.",
            expected="A number for each that takes whole numbers; states of floats begin with zeros.",
            do=f"Give it in the id: onnx:{path}?{missing[0].name}=VALUE",
        )
    return {one.name: (one, given.get(one.name, 0)) for one in others}


def _filled(one: GraphInput, value: Any, items: int) -> np.ndarray:
    return np.full([items if size is None else size for size in one.shape], value, one.dtype)


def _cast(batch: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "f":
        return batch.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    cast: np.ndarray = np.clip(np.rint(batch), limits.min, limits.max).astype(dtype)
    return cast


def _node(node: Any, weights: set[str]) -> Node:
    return Node(_read_by(node, weights), tuple(filter(None, node.output)), _KINDS.get(node.op_type, "other"))


def _read_by(node: Any, weights: set[str]) -> tuple[str, ...]:
    """Names that a node reads, those inside its branches included, weights left out."""
    return tuple(dict.fromkeys(name for name in _names(node) if name and name not in weights))


def _names(node: Any) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _names(inner)


def _is_real(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"
