"""ONNX Runtime on processors: made from the graph by torch's exporter."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from icecore.backbones.extras import require
from icecore.prefix.engines.program import Program


class OnnxRuntime:
    """A session of ONNX Runtime.

    Args:
        program: the pass, in float32.
        threads: how many cores it may use.
    """

    in_flight = 1

    def __init__(self, program: Program, threads: int) -> None:
        runtime: Any = require("onnxruntime", "onnx")
        require("onnxscript", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        with TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(program.exported(), dynamo=True, verbose=False)
            path = Path(folder) / "graph.onnx"
            exported.save(path)  # type: ignore[union-attr]  # None without `dynamo`
            self._session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._names = [value.name for value in self._session.get_inputs()]

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The program's outputs, float32."""
        feeds = dict(zip(self._names, (value.numpy() for value in inputs), strict=True))
        return [torch.from_numpy(value) for value in self._session.run(None, feeds)]
