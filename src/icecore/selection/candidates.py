"""What can be chosen: a layer (or several side by side), a head, a penalty; and which of two is the simpler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from icecore.errors import HeadError, UsageError
from icecore.heads.ensemble import Ensemble
from icecore.heads.layered import Over
from icecore.heads.rows import Rows, SideBySide, Some

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.tasks import Task

Layer = str | tuple[str, ...]

LAST, LOGITS = "last", "logits"
AUTO_HEADS = ("centroid", "ridge", "logistic", "lda", "svm", "knn", "svm-rbf")
LAYERED = frozenset({"layer-sum", "head2toe"})  # they read several layers at once, and know them apart
SIMPLEST_FIRST = (*AUTO_HEADS, "layer-sum", "head2toe", "mlp")
IN_PIECES = frozenset({"ridge", "logistic", "svm"})  # can be fitted on rows that are not in memory
KERNEL_HEADS = frozenset({"knn", "svm-rbf"})
_ROWS_FOR_KERNELS = 20_000  # a kernel machine's cost grows with the square of the rows
_NOT_BLOCKS = frozenset({LAST, LOGITS})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to make a model on stored features.

    Attributes:
        layer: a layer, or several whose features are put side by side in this order.
        head: a spec that `icecore.heads.make` takes.
        penalty: from the head's grid; larger is simpler. None is the head's own default, or what its spec says.
    """

    layer: Layer
    head: Any
    penalty: float | None = None

    def __str__(self) -> str:
        penalty = "" if self.penalty is None else f" (penalty {self.penalty:g})"
        return f"{head_name(self.head)}{penalty} on {layer_name(self.layer)}"


def head_name(head: Any) -> str:
    """`logistic` for `logistic:C=0.1`; the class of an object."""
    if isinstance(head, Ensemble):
        return f"ensemble of {len(head.members)} heads"
    return head.split(":")[0] if isinstance(head, str) else type(head).__name__


def layer_name(layer: Layer) -> str:
    """As shown to people.

    Example:
        >>> layer_name(("a", "b", "c"))
        '3 layers from a to c'
    """
    return layer if isinstance(layer, str) else f"{len(layer)} layers from {layer[0]} to {layer[-1]}"


def names_of(layer: Layer) -> tuple[str, ...]:
    """The names of a layer, or of several."""
    return (layer,) if isinstance(layer, str) else layer


def widths_of(features: Mapping[str, Any], layer: Layer) -> tuple[int, ...]:
    """How many features each of them has."""
    return tuple(int(features[name].shape[1]) for name in names_of(layer))


@overload
def features_of(features: Mapping[str, np.ndarray], layer: Layer) -> np.ndarray: ...
@overload
def features_of(features: Mapping[str, Rows], layer: Layer) -> Rows: ...
def features_of(features: Mapping[str, Any], layer: Layer) -> Any:
    """(n, d): one layer's features, or several side by side."""
    if isinstance(layer, str):
        return features[layer]
    parts = [features[name] for name in layer]
    return np.concatenate(parts, axis=1) if in_memory(features) else SideBySide(parts)


def take(features: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Some rows of every layer; those that are not in memory stay where they are."""
    if in_memory(features):
        return {name: X[rows] for name, X in features.items()}
    return {name: Some(X, rows) for name, X in features.items()}


def read(features: Mapping[str, Rows], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of every layer, as arrays."""
    return {name: X[rows] for name, X in features.items()}


def in_memory(features: Mapping[str, Any]) -> bool:
    """Whether all layers are arrays."""
    return all(isinstance(X, np.ndarray) for X in features.values())


def pooling_of(name: str) -> str:
    """What a name of features says in brackets; nothing where there is but one pooling of the layer.

    Example:
        >>> pooling_of("blocks.3 (max)"), pooling_of("last")
        ('max', '')
    """
    found = re.search(r" \((.+)\)$", name)
    return found[1] if found else ""


def layers_of(features: Mapping[str, np.ndarray], *, joint: bool = True) -> list[Layer]:
    """Every distinct layer, and the blocks side by side, those of each pooling by themselves.

    `last` and `logits` stay out of the joint candidate: `last` usually is as wide as all blocks together, so that it
    would drown them (TrashNet with MobileNetV2, RBF SVM: 0.894 without, 0.876 with it).
    """
    distinct = _distinct(features)
    poolings = [pooling for pooling in dict.fromkeys(map(pooling_of, distinct)) if pooling]
    together = [_blocks(distinct, pooling) for pooling in poolings or [""]] if joint else []
    return [*distinct, *(blocks for blocks in together if len(blocks) > 1)]


def layers_for(head: Any, layers: Sequence[Layer], features: Mapping[str, Any]) -> list[Layer]:
    """Which of the layers a head is tried on.

    Heads over many layers read all of them at once, `last` among them: `head2toe` under all poolings, for it keeps what
    it needs; `layer-sum` those of one pooling, and `last` where it is as wide as the others.
    """
    if head_name(head) not in LAYERED:
        return list(layers)
    names = [name for name in layers if isinstance(name, str) and not _is(name, LOGITS)]
    together = [names]
    if head_name(head) == "layer-sum":
        poolings = [pooling for pooling in dict.fromkeys(map(pooling_of, names)) if pooling]
        together = [_of_one_width(_under(names, pooling), features) for pooling in poolings or [""]]
    return [tuple(own) if len(own) > 1 else own[0] for own in together if own]


def _of_one_width(names: Sequence[str], features: Mapping[str, Any]) -> list[str]:
    """The blocks, and `last` where it is as wide as they are."""
    blocks = [name for name in names if not _is(name, LAST)]
    widths = set(widths_of(features, tuple(blocks)))
    return [name for name in names if name in blocks or not widths or {features[name].shape[1]} == widths]


def _under(names: Sequence[str], pooling: str) -> list[str]:
    return [name for name in names if pooling_of(name) in {pooling, ""}]


def _is(name: str, layer: str) -> bool:
    """Whether features are of this layer, under whatever pooling."""
    return name == layer or name.startswith(f"{layer} (")


def over(head: Any, widths: tuple[int, ...], task: Task) -> Any:
    """The spec of a head on layers of these widths. Raises HeadError for heads over many layers in other tasks."""
    if head_name(head) not in LAYERED:
        return head
    if task.name != "classification":
        raise HeadError(
            f"The head {head!r} was asked for with the task {task.name}.",
            expected="Heads over many layers, head2toe and layer-sum, tell classes apart, one a row.",
            do="Take auto, which puts layers side by side for any task.",
        )
    return Over(head, widths)


def _blocks(names: Sequence[str], pooling: str) -> tuple[str, ...]:
    return tuple(name for name in names if name not in _NOT_BLOCKS and pooling_of(name) in {pooling, ""})


def heads_for(
    heads: Sequence[Any], rows: int, *, in_pieces: bool = False, auto: Sequence[str] = AUTO_HEADS
) -> list[Any]:
    """The heads meant: `auto` stands for all that suit so many rows, or rows in pieces. Each once, simplest first."""
    meant: list[Any] = []
    for head in heads:
        for one in _auto(auto, rows, in_pieces=in_pieces) if isinstance(head, str) and head == "auto" else [head]:
            if not any(one is other or (isinstance(one, str) and one == other) for other in meant):
                meant.append(one)
    if not meant:
        raise UsageError("There is no head to choose from.", expected="Expected at least one, or 'auto'.")
    return sorted(meant, key=head_rank)


def head_rank(head: Any) -> int:
    """Place in the order of simplicity; what the list does not know comes last."""
    name = head_name(head)
    return SIMPLEST_FIRST.index(name) if name in SIMPLEST_FIRST else len(SIMPLEST_FIRST)


def layer_rank(layer: Layer) -> int:
    """`last` is the simplest, then any other layer, then several at once."""
    if isinstance(layer, tuple):
        return 2
    return int(layer != LAST)


def _auto(auto: Sequence[str], rows: int, *, in_pieces: bool) -> list[str]:
    suited = auto if rows <= _ROWS_FOR_KERNELS else [head for head in auto if head not in KERNEL_HEADS]
    return [head for head in suited if not in_pieces or head in IN_PIECES]


def _distinct(features: Mapping[str, np.ndarray]) -> list[str]:
    """Names of layers without those whose features are another's again; `last` is kept of two."""
    kept: list[str] = []
    for name in sorted(features, key=lambda name: name != LAST):
        if not any(np.array_equal(features[name], features[other]) for other in kept):
            kept.append(name)
    return [name for name in features if name in kept]
