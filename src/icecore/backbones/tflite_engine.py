"""LiteRT as an engine for TFLite files: any tensor by name, quantised ones as the real numbers that they stand for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from icecore.backbones import extras
from icecore.backbones.graph import Values
from icecore.backbones.graph_files import digest_of
from icecore.backbones.graph_layers import Node
from icecore.backbones.tflite_metadata import numbers_in
from icecore.errors import BackboneError, WeightsError

_KINDS = {
    "FULLY_CONNECTED": "dense",
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV"), "convolution"),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "CAST"), "plain"),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE", "PAD", "PADV2"), "plain"),
    "ADD": "addition",
}


class TfliteEngine:
    """A graph of LiteRT. Implements `Engine`.

    Every pass takes the built-in kernels, which keep all tensors, so that a layer is the same whichever others are
    asked for.

    Raises:
        WeightsError: it is no TFLite file.
        BackboneError: the graph has several inputs.
    """

    channels_last: bool | None = True

    def __init__(self, path: Path) -> None:
        self.path, self.digest = path, digest_of([path])
        self.content = path.read_bytes()
        self.device = torch.device("cpu")
        self._lock = threading.Lock()
        self._interpreter = self._made()
        self.parameters = numbers_in(self.content)
        details = self._interpreter.get_input_details()
        if len(details) != 1:
            raise BackboneError(
                f"{path} has {len(details)} inputs: {', '.join(one['name'] for one in details)}.",
                expected="A graph with one input.",
            )
        self.detail: Mapping[str, Any] = details[0]
        self._names = _unique_names(self._interpreter.get_tensor_details())
        self._details = {self._names[one["index"]]: one for one in self._interpreter.get_tensor_details()}
        self.input = self._names[self.detail["index"]]
        signature = self.detail["shape_signature"] if len(self.detail["shape_signature"]) else self.detail["shape"]
        self.item_shape = tuple(None if size < 0 else int(size) for size in signature[1:])
        self.result = self._names[self._interpreter.get_output_details()[0]["index"]]
        self.nodes: Sequence[Node] = [self._node(operator) for operator in self._interpreter._get_ops_details()]  # noqa: SLF001 - the only list of operators

    def __getstate__(self) -> dict[str, Any]:
        """Without the interpreter, which belongs to this process."""
        return {**self.__dict__, "_interpreter": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        self._interpreter = self._made()

    @property
    def asked(self) -> str:
        """The input, for people."""
        shape = ", ".join("?" if size is None else str(size) for size in self.item_shape)
        return f"{self.input} ({np.dtype(self.detail['dtype'])}, ({shape}))"

    def to(self, device: torch.device) -> None:
        """Nowhere: LiteRT's kernels run on the CPU."""

    def run(self, batch: np.ndarray, tensors: Sequence[str]) -> Values:
        """Tensors of real numbers in float32. Raises RuntimeError where the graph cannot run on the batch."""
        with self._lock:  # an interpreter is one thread's at a time
            return self._run(batch, tensors)

    def _run(self, batch: np.ndarray, tensors: Sequence[str]) -> Values:
        index, interpreter = self.detail["index"], self._interpreter
        try:
            if tuple(interpreter.get_input_details()[0]["shape"]) != batch.shape:
                interpreter.resize_tensor_input(index, batch.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(index, _quantised(batch, self.detail))
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            self._interpreter = self._made()  # one whose tensors cannot be laid out is of no more use
            raise RuntimeError(str(error).partition("\n")[0]) from error
        found = {name: _real(interpreter.get_tensor(self._details[name]["index"]), self._details[name])
                 for name in tensors}  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    def _made(self) -> Any:
        litert = extras.require("ai_edge_litert.interpreter", "tflite")
        try:
            interpreter = litert.Interpreter(
                model_content=self.content,
                num_threads=torch.get_num_threads(),
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise WeightsError(
                f"{self.path} is no TFLite file that can be run: {str(error).strip()}.", do="Export or copy it again."
            ) from error
        return interpreter

    def _node(self, operator: Mapping[str, Any]) -> Node:
        inputs = tuple(self._names[i] for i in operator["inputs"] if i >= 0)
        outputs = tuple(self._names[i] for i in operator["outputs"])
        return Node(inputs, outputs, _KINDS.get(operator["op_name"], "other"))


def _unique_names(details: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """By index: the first of the operators that were fused, and the index too where several tensors share that."""
    first = {one["index"]: one["name"].partition(";")[0] for one in details}
    count = Counter(first.values())
    return {index: name if name and count[name] == 1 else f"{name}:{index}" for index, name in first.items()}


def _quantised(batch: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Real numbers as the input's type; without a scale, integers are the numbers themselves."""
    dtype, (scale, zero) = np.dtype(detail["dtype"]), detail["quantization"]
    if dtype.kind == "f":
        return batch.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    values = np.rint(batch / scale) + zero if scale else np.rint(batch)
    quantised: np.ndarray = np.clip(values, limits.min, limits.max).astype(dtype)
    return quantised


def _real(value: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray | None:
    """What a tensor stands for; None for indices and the like."""
    scale, zero = detail["quantization"]
    if value.dtype.kind == "f":
        return value.astype(np.float32)
    return (value.astype(np.float32) - np.float32(zero)) * np.float32(scale) if scale else None
