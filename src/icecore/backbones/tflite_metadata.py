"""What a TFLite file says of itself: the metadata that its author put in, and how many numbers its weights are.

The form of the metadata is that of https://github.com/google-ai-edge/litert `metadata_schema.fbs`, read as a plain
table, because the library with its classes is no longer released.
"""

from __future__ import annotations

import math
from typing import Any

from icecore.backbones import extras

_NAME = b"TFLITE_METADATA"
_LICENCE = 14  # the place of `license` in the table: the sixth field


def licence_in(content: bytes) -> str:
    """The licence that a file's metadata states; empty where there is none."""
    flatbuffers = extras.require("flatbuffers", "tflite")
    model = _schema().Model.GetRootAs(content)
    for entry in (model.Metadata(i) for i in range(model.MetadataLength())):
        buffer = model.Buffers(entry.Buffer())
        if entry.Name() == _NAME and buffer.DataLength():
            inner = buffer.DataAsNumpy().tobytes()
            root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, inner, 0)
            table = flatbuffers.table.Table(inner, root)
            place = table.Offset(_LICENCE)
            return str(table.String(table.Pos + place).decode("utf-8", "replace")) if place else ""
    return ""


def numbers_in(content: bytes) -> int:
    """How many numbers a file's constant tensors hold: real ones, and whole ones that stand for such.

    A tensor that stands in several places counts once; shapes, indices and single numbers do not.
    """
    schema = _schema()
    model = schema.Model.GetRootAs(content)
    kinds = schema.TensorType
    real = {kinds.FLOAT16, kinds.FLOAT32, kinds.FLOAT64}
    found = dict[int, int]()
    for graph in (model.Subgraphs(i) for i in range(model.SubgraphsLength())):
        for tensor in (graph.Tensors(i) for i in range(graph.TensorsLength())):
            held, scaled = model.Buffers(tensor.Buffer()), tensor.Quantization()
            whole = scaled is not None and scaled.ScaleLength() > 0
            is_weight = tensor.ShapeLength() > 0 and (whole or tensor.Type() in real)
            if is_weight and (held.DataLength() or held.Size() > 1):
                found[tensor.Buffer()] = math.prod(tensor.ShapeAsNumpy().tolist())
    return sum(found.values())


def _schema() -> Any:
    return extras.require("ai_edge_litert.schema_py_generated", "tflite")
