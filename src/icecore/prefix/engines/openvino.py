"""OpenVINO: made from the network in memory, several requests at once."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.backbones.extras import require
from icecore.prefix.engines.program import Program
from icecore.prefix.engines.tolerance import TOLERANCES, apart

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino:
    """A compiled program. Each thread that calls it takes one of its requests, which run side by side.

    Args:
        program: the pass, in float32.
        precision: what it computes in.
        threads: how many cores it may use, all requests together.
    """

    def __init__(self, program: Program, precision: str, threads: int) -> None:
        openvino: Any = require("openvino", "openvino")
        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled = openvino.Core().compile_model(_converted(openvino, program), "CPU", hints)
        self.in_flight = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.in_flight):
            self._free.put(compiled.create_infer_request())

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The program's outputs, float32."""
        request = self._free.get()
        try:
            return [torch.from_numpy(value) for value in _inferred(request, inputs)]
        finally:
            self._free.put(request)


def _converted(openvino: Any, program: Program) -> Any:
    """The model, from a TorchScript trace where that is right for other sizes too, else from torch's exporter."""
    with contextlib.suppress(Exception):  # whatever a tracer cannot do, the exporter may
        decoders: Any = require("openvino.frontend.pytorch.ts_decoder", "openvino")
        decoder = decoders.TorchScriptPythonDecoder(program.traced(), example_input=tuple(program.examples))
        model = _translated(openvino, decoder)
        shapes = [_shape(openvino, *own) for own in zip(program.examples, program.free, strict=True)]
        model.reshape(dict(enumerate(shapes)))
        if _holds(openvino, model, program):
            return model
    decoders = require("openvino.frontend.pytorch.fx_decoder", "openvino")
    return _translated(openvino, decoders.TorchFXPythonDecoder.from_exported_program(program.exported()))


def _translated(openvino: Any, decoder: Any) -> Any:
    """As `openvino.convert_model` does, which also tells its makers that it was called."""
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    return frontend.convert(frontend.load(decoder))


def _shape(openvino: Any, example: Tensor, free: set[int]) -> Any:
    return openvino.PartialShape([-1 if axis in free else size for axis, size in enumerate(example.shape)])


def _holds(openvino: Any, model: Any, program: Program) -> bool:
    """Whether a model does for fewer and shorter inputs what the network does."""
    inputs = [value[:2] for value in program.shorter]
    with torch.no_grad():
        expected = program(*inputs)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = _inferred(compiled.create_infer_request(), inputs)
    return apart(found, [value.numpy() for value in expected], "float32") <= TOLERANCES["float32"]


def _inferred(request: Any, inputs: Sequence[Tensor]) -> list[np.ndarray]:
    """Outputs in their order, which are ours to keep: the request is used again."""
    request.infer([value.numpy() for value in inputs], share_inputs=True)
    return [tensor.data.copy() for tensor in request.output_tensors]
