"""OpenVINO: made from the graph in memory, several requests at once."""

from __future__ import annotations

import queue
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from icecore.backbones.extras import require
from icecore.prefix.engines.program import Graph

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino:
    """A compiled graph. Each thread that calls it takes one of its requests, which run side by side.

    Args:
        graph: the exported pass, in float32.
        precision: what it computes in.
        threads: how many cores it may use, all requests together.
    """

    def __init__(self, graph: Graph, precision: str, threads: int) -> None:
        openvino: Any = require("openvino", "openvino")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about its own calls
            model = openvino.convert_model(graph.exported)
        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled = openvino.Core().compile_model(model, "CPU", hints)
        self.in_flight = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.in_flight):
            self._free.put(compiled.create_infer_request())

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The graph's outputs, float32."""
        request = self._free.get()
        try:
            outputs = request.infer([value.numpy() for value in inputs], share_inputs=True)
            return [torch.from_numpy(outputs[i].copy()) for i in range(len(outputs))]  # the request is used again
        finally:
            self._free.put(request)
