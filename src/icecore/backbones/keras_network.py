"""A Keras model as a torch module whose children are the model's layers, by their names.

On its torch backend every Keras layer is a torch module and runs its hooks, but a model does not list its layers as
children. Nested models list theirs below them: `outer.inner`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from icecore import keys
from icecore.backbones.fingerprint import Digests, tensor_chunks
from icecore.backbones.graph_layers import Node, block_ends, classifier
from icecore.backbones.keras_backend import keras_on_torch
from icecore.backbones.network import TorchBackbone

_DENSE = ("Dense", "EinsumDense")
_PLAIN = ("Flatten", "Reshape", "Permute", "Dropout", "Softmax", "ZeroPadding1D", "ZeroPadding2D", "Rescaling")
_ENDS = ("softmax", "sigmoid", "linear", "log_softmax")  # activations that logits go through


class KerasNetwork(nn.Module):
    """The network.

    Attributes:
        keras_model: the model itself.
        channels_last: whether its images have their channels last.
        block_paths: paths of the layers at which blocks end; None where the model is no graph of layers.
        classifier_path: path of the dense layer that gives the result; None where there is none.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        keras = keras_on_torch()
        self.keras_model: Any
        self.__dict__["keras_model"] = model  # no child: its layers are
        self.channels_last: bool = keras.config.image_data_format() == "channels_last"
        self.block_paths = _blocks(keras, model)
        self.classifier_path = _classifier(keras, model)
        _list_layers(keras, self, model)

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: Keras is put on torch there before the model comes."""
        return _frozen, (_OnTorch(), self.keras_model)

    def forward(self, x: Tensor) -> Any:
        """The model's own call; dropout and batch statistics follow the module's mode."""
        keras = keras_on_torch()
        with keras.device(str(x.device).replace("cuda", "gpu")):
            return self.keras_model(x, training=self.training)


class KerasBackbone(TorchBackbone):
    """A Keras model as a backbone. Weights are hashed by layer, whatever Keras calls them."""

    def __init__(self, network: KerasNetwork, **about: Any) -> None:
        super().__init__(network, classifier=network.classifier_path, **about)
        self._digests = Digests(network, _digests)


class _OnTorch:
    """Where this is unpickled, Keras runs on torch."""

    def __reduce__(self) -> tuple[Any, ...]:
        return keras_on_torch, ()


def _frozen(_keras: Any, model: Any) -> KerasNetwork:
    return KerasNetwork(model).eval().requires_grad_(requires_grad=False)


def path_of(name: str) -> str:
    """The name of a layer as a part of a module path."""
    name = name.replace(".", "_").replace("/", "_")
    return f"{name}_" if hasattr(KerasNetwork, name) or name in ("training", "keras_model") else name


def _list_layers(keras: Any, parent: nn.Module, model: Any) -> None:
    for layer in model.layers:
        parent._modules[path_of(layer.name)] = layer  # noqa: SLF001 - setting an attribute of a Keras model would track it
        if isinstance(layer, keras.Model):
            _list_layers(keras, layer, layer)


def _digests(network: nn.Module) -> dict[str, bytes]:
    """Digest of each layer's weights, by path. The state of random generators is no weight."""
    found = {}
    for path, layer in network.named_modules():
        own = getattr(layer, "weights", ()) if path else ()
        chunks = [piece for i, weight in enumerate(own) for piece in tensor_chunks(str(i), weight.value)]
        if chunks:
            found[path] = keys.digest("module", chunks)
    return found


def _nodes(model: Any) -> list[Node] | None:
    """The operations of a model and what they read; None where it is no graph, or a layer is used several times."""
    graph = getattr(model, "_functional", None) or model  # a Sequential holds its graph
    operations = getattr(graph, "operations", None)
    if operations is None:
        return None
    known = {id(node) for level in graph._nodes_by_depth.values() for node in level}  # noqa: SLF001 - the only way to the graph
    found = []
    for operation in operations:
        own = [node for node in operation._inbound_nodes if id(node) in known]  # noqa: SLF001 - likewise
        if len(own) > 1:
            return None
        parents = dict.fromkeys(parent.operation.name for node in own for parent in node.parent_nodes)
        found.append(Node(tuple(parents), (operation.name,), _kind(operation)))
    return found


def _kind(operation: Any) -> str:
    name = type(operation).__name__
    ends = getattr(getattr(operation, "activation", None), "__name__", "linear") in _ENDS
    if name in _DENSE and ends:
        return "dense"
    if hasattr(operation, "kernel_size"):
        return "convolution"
    return "plain" if name in _PLAIN or (name == "Activation" and ends) else "other"


def _blocks(keras: Any, model: Any) -> list[str] | None:
    """Paths of the blocks: the model's own, or where it has none those of the nested model that has most."""
    nodes = _nodes(model)
    if nodes is None:
        return None
    head = _head(model, nodes)
    last = head.inputs[0] if head else nodes[-1].outputs[0]
    own = block_ends(nodes, last, {path for node in nodes if node.inputs for path in node.outputs})
    if own:
        return [path_of(name) for name in own]
    inner = [(path_of(part.name), _blocks(keras, part)) for part in _nested(keras, model)]
    return max(([f"{path}.{name}" for name in names or []] for path, names in inner), key=len, default=[])


def _nested(keras: Any, model: Any) -> Iterator[Any]:
    return (layer for layer in model.layers if isinstance(layer, keras.Model))


def _classifier(keras: Any, model: Any) -> str | None:
    nodes = _nodes(model)
    if not nodes or len(getattr(model, "outputs", ())) != 1:
        return None
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        inner = _classifier(keras, last)
        return inner and f"{path_of(last.name)}.{inner}"
    found = _head(model, nodes)
    return path_of(found.outputs[0]) if found else None


def _head(model: Any, nodes: Sequence[Node]) -> Node | None:
    """The dense layer that gives the result."""
    shapes = {layer.name: _shape(layer) for layer in model.layers}
    return classifier([node for node in nodes if node.inputs], nodes[-1].outputs[0], shapes)


def _shape(layer: Any) -> tuple[int, ...]:
    try:
        return tuple(size or 1 for size in layer.output.shape)
    except (AttributeError, ValueError):  # used several times, or with several outputs
        return ()
