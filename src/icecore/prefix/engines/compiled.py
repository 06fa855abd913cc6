"""Engines that run a traced program: how what they give becomes values by column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from icecore.backbones import INPUT
from icecore.prefix.columns import Column
from icecore.prefix.engines.catalogue import versions_of
from icecore.prefix.engines.eager import Eager, Pooled
from icecore.prefix.engines.program import Program, flat
from icecore.prefix.engines.values import Rows, Values, joined

# Items of a fixed size in one call: as many as keep a core busy; more of them leave its cache. Measured with ResNet-50,
# MobileNetV2 and ViT-small in both precisions.
_AT_ONCE = 16


class Session(Protocol):
    """A program, ready to run. May be called from `in_flight` threads at once."""

    in_flight: int

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The program's outputs, float32 on the CPU."""
        ...


class Compiled:
    """Runs a program of a torch network.

    Args:
        backbone: whose program it is: a `TorchBackbone` or a `Prefix`.
        columns: what is wanted of each pass.
        program: the pass.
        session: runs it.
        engine: its name.
    """

    def __init__(
        self, backbone: Any, columns: Sequence[Column], program: Program, session: Session, engine: str
    ) -> None:
        self._backbone, self._columns, self._program, self._session = backbone, list(columns), program, session
        self.engine, self.in_flight, self.versions = engine, session.in_flight, versions_of(engine)
        self._eager = Eager(backbone, columns)
        self._loose: dict[str, list[str]] = defaultdict(list)  # layers that are pooled here, with their poolings
        for column in columns:
            if column not in program.outputs:
                self._loose[column.layer].append(column.pooling)

    def __call__(self, batch: Sequence[Any]) -> Values:
        """Values by column, (n, ...) each, of n inputs of one bucket.

        Inputs of another shape than the program was traced with go through the network's own forward.
        """
        most = len(batch) if self._program.by_length else _AT_ONCE
        parts = [
            self._piece(piece[i : i + most])
            for piece in self._backbone.pieces(batch)
            for i in range(0, len(piece), most)
        ]
        return {column: joined([part[column] for part in parts]) for column in self._columns}

    def _piece(self, batch: Sequence[Any]) -> Values:
        stacked = self._backbone.stack(batch)
        inputs = flat(stacked, self._program.names)
        if not self._program.fits(inputs):
            return self._eager(batch)
        found = dict(zip(self._program.outputs, self._session(inputs), strict=True))
        if self._loose.get(INPUT):
            found[INPUT] = self._backbone.raw(batch, stacked)
        pooled, known = Pooled(self._loose), self._backbone.layers()
        places = {name: self._backbone.reduced(known[name], found[name], batch, pooled) for name in self._loose}
        return {column: _rows(column, found, pooled, places) for column in self._columns}


def _rows(column: Column, found: Mapping[Column | str, Tensor], pooled: Pooled, places: Mapping[str, Tensor]) -> Rows:
    if column in found:
        rows: Rows = found[column].numpy()
        return rows
    return pooled.rows(column, places[column.layer])


def compiled(backbone: Any, columns: Sequence[Column], engine: str) -> Compiled:
    """Make an engine for a network.

    Raises MissingExtraError; and whatever torch or the engine raises where the network cannot be traced or compiled.
    """
    program = Program(backbone if engine == "compile" else backbone.at_precision("float32"), columns)
    return Compiled(backbone, columns, program, _SESSIONS[engine](program, backbone), engine)


def _openvino(program: Program, backbone: Any) -> Session:
    from icecore.prefix.engines.openvino import OpenVino

    return OpenVino(program, backbone.precision, torch.get_num_threads())


def _onnxruntime(program: Program, _backbone: Any) -> Session:
    from icecore.prefix.engines.onnxruntime import OnnxRuntime

    return OnnxRuntime(program, torch.get_num_threads())


def _compile(program: Program, backbone: Any) -> Session:
    from icecore.prefix.engines.inductor import Inductor

    return Inductor(program, backbone)


_SESSIONS: dict[str, Callable[[Program, Any], Session]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "compile": _compile,
}
