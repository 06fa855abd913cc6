"""What a graph of operators says about its tensors: which is the final representation, and where blocks end.

For ONNX and TFLite files, and for Keras models of the functional kind, which are lists of operators with their inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """An operator.

    Attributes:
        inputs: names of the tensors that it reads, weights left out.
        outputs: names of the tensors that it gives.
        kind: `dense` (every output number is a weighted sum of a whole vector), `convolution`, `plain` for one that
            changes form, place or scale and nothing else (reshape, softmax, quantise), `addition`, which is plain
            where one side is a weight, or `other`.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str = "other"


def depends_on(nodes: Sequence[Node], source: str) -> list[Node]:
    """The nodes that depend on a tensor, with only those inputs that do."""
    known = {source}
    kept = []
    for node in nodes:
        inputs = tuple(name for name in node.inputs if name in known)
        if inputs:
            known.update(node.outputs)
            kept.append(Node(inputs, node.outputs, _kind(node.kind, len(inputs))))
    return kept


def classifier(nodes: Sequence[Node], result: str, shapes: Mapping[str, tuple[int, ...]]) -> Node | None:
    """The dense layer whose output the result is, as it is or through plain operators; None where there is none.

    A convolution over a single place is a dense layer.
    """
    by_output = {name: node for node in nodes for name in node.outputs}
    node = by_output.get(result)
    while node is not None and node.kind == "plain" and len(node.inputs) == 1:
        node = by_output.get(node.inputs[0])
    if node is None or len(node.inputs) != 1:
        return None
    if node.kind == "dense":
        return node
    given = shapes.get(node.outputs[0], ())
    return node if node.kind == "convolution" and sorted(given)[:-1] == [1] * (len(given) - 1) else None


def block_ends(nodes: Sequence[Node], result: str, takeable: Collection[str]) -> list[str]:
    """Names of the tensors at which a block ends, in run order; empty where there are fewer than two.

    All that comes later depends on such a tensor alone, and there it is read by a layer with a matrix of weights, or by
    several operators, as at the start of a residual or parallel block.
    """
    nodes = _leading_to(nodes, result)
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in set(node.inputs):
            readers.setdefault(name, []).append(node)
    ends = [
        name for name in _bottlenecks(nodes) if name in takeable and name != result and _starts_a_block(name, readers)
    ]
    return ends if len(ends) > 1 else []


def _kind(kind: str, inputs: int) -> str:
    if kind == "addition":
        return "plain" if inputs == 1 else "other"
    return kind


def _leading_to(nodes: Sequence[Node], result: str) -> list[Node]:
    needed, kept = {result}, []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _bottlenecks(nodes: Sequence[Node]) -> list[str]:
    """Tensors that are, when they are there, all that the rest will read; those of plain operators left out."""
    last_read = {name: i for i, node in enumerate(nodes) for name in node.inputs}
    live: set[str] = set()
    found: list[str] = []
    for i, node in enumerate(nodes):
        live = {name for name in (*live, *node.outputs) if last_read.get(name, -1) > i}
        if len(live) == 1 and live == set(node.outputs) & live and node.kind != "plain":
            found += live
    return found


def _starts_a_block(name: str, readers: Mapping[str, list[Node]]) -> bool:
    reading = readers.get(name, [])
    if len(reading) != 1:
        return True
    only = reading[0]
    if only.kind == "plain":
        return any(_starts_a_block(output, readers) for output in only.outputs if output in readers)
    return only.kind in ("dense", "convolution")
