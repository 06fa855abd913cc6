"""How many numbers the weights of an ONNX graph are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from icecore.backbones import extras

# Of operators that quantise: which inputs say how numbers are written (scales and zero points), and which are biases.
_STEPS = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), (1, 2)),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), (1, 2, 4, 5, 6, 7)),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), (2, 3)),
    "QGemm": (1, 2, 4, 5, 7, 8),
}
_BIASES = {"DequantizeLinear": 0, "QLinearConv": 8, "QGemm": 6}


def numbers_in(graph: Any) -> int:
    """Those of a graph (`onnx.GraphProto`) and of the branches inside it.

    Counted are tensors of real numbers with an axis, and whole numbers that stand for such: those of up to 8 bits, and
    of 32 bits where they are dequantised or added to a quantised convolution. Shapes, indices and scales are none.
    """
    own = [_own(each) for each in _graphs(graph)]
    return sum(own)


def _own(graph: Any) -> int:
    read = [(node.op_type, list(node.input)) for node in graph.node]
    steps = {name for kind, names in read for at in _STEPS.get(kind, ()) for name in names[at : at + 1]}
    biases = {name for kind, names in read if kind in _BIASES for name in names[_BIASES[kind] :][:1]}
    held = {tensor.name: tensor for tensor in graph.initializer} | dict(_constants(graph))
    weights = [tensor for name, tensor in held.items() if name not in steps and _is_weight(tensor, name in biases)]
    return sum(math.prod(tensor.dims) for tensor in weights)


def _constants(graph: Any) -> Iterator[tuple[str, Any]]:
    """Tensors that stand in nodes of their own."""
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                yield node.output[0], attribute.t


def _is_weight(tensor: Any, is_bias: bool) -> bool:
    kind = extras.require("onnx", "onnx").TensorProto.DataType.Name(tensor.data_type)
    real = "FLOAT" in kind or kind in {"DOUBLE", "INT8", "UINT8", "INT4", "UINT4"}
    return bool(tensor.dims) and (real or (is_bias and kind == "INT32"))


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and all inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)
