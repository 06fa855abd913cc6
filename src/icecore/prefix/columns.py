"""Columns: which layer, pooled how, of which frozen prefix; and the keys under which they are stored."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from icecore import keys
from icecore.backbones import INPUT, LAST, LOGITS, Extractor, no_such_layer
from icecore.backbones.precision import FLOAT32
from icecore.errors import LayerError
from icecore.prefix.pooling import canonical_pooling

_NUMBER = re.compile(r"-?\d+$")


@dataclass(frozen=True, slots=True)
class Column:
    """One feature of every item: a layer's output under a pooling."""

    layer: str
    pooling: str


def columns_of(backbone: Extractor, layers: str | int | Sequence[str | int], pooling: str = "mean") -> list[Column]:
    """The columns that a request names, each once, in the order in which the layers finish.

    Args:
        backbone: whose layers are meant.
        layers: module paths, `last`, `logits`, block numbers from the end (-1) or start (0), `all` (every block and
            `last`), or patterns such as `layer4.*`.
        pooling: see `pool`.

    Raises LayerError with the nearest names.
    """
    wanted = [layers] if isinstance(layers, str | int) else list(layers)
    names = {name for request in wanted for name in _names(backbone, request)}
    known = backbone.layers()
    return [Column(name, canonical_pooling(known[name], pooling)) for name in known if name in names]


def raw_columns(backbone: Extractor) -> list[Column]:
    """The inputs themselves as small vectors, for a baseline: images as thumbnails. None without such a layer."""
    layer = backbone.layers().get(INPUT)
    if layer is None or not ({"height", "width"} <= set(layer.axes) or layer.axes == ("channels",)):
        return []
    return [Column(INPUT, canonical_pooling(layer, "thumbnail"))]


def blocks(backbone: Extractor) -> list[str]:
    """Paths of the blocks, first to last."""
    numbered = [layer for layer in backbone.layers().values() if layer.block is not None]
    return [layer.name for layer in sorted(numbered, key=lambda layer: layer.block or 0)]


def prefix_key(backbone: Extractor, layer: str) -> str:
    """Key of the frozen prefix that ends at a layer: everything its output depends on but the input.

    The input itself depends on the preprocessing alone, so it is shared by all networks that prepare alike.
    """
    preprocessing = dict(backbone.preprocessing.value)
    if layer == INPUT:
        return keys.key("prefix", {"layer": INPUT, "preprocessing": preprocessing})
    return keys.key(
        "prefix",
        {
            "provider": backbone.provider,
            "architecture": dict(backbone.architecture),
            "layer": layer,
            "weights": backbone.weights_digest(layer),
            "preprocessing": preprocessing,
        },
    )


def column_key(backbone: Extractor, column: Column) -> str:
    """Key of a column: the prefix, the pooling and the precision."""
    prefix = prefix_key(backbone, column.layer)
    precision = FLOAT32 if column.layer == INPUT else precision_of(backbone)
    return keys.key("column", {"prefix": prefix, "pooling": column.pooling, "precision": precision})


def precision_of(backbone: Extractor) -> str:
    """What a network runs in; those that do not say so run in float32."""
    return str(getattr(backbone, "precision", FLOAT32))


def network_key(backbone: Extractor) -> str:
    """Key of the folder in the store: network and preprocessing without the weights, which the columns carry.

    A network whose tail was tuned therefore shares the columns below with its parent.
    """
    return keys.key("network", network_about(backbone) | {"id": ""})


def network_about(backbone: Extractor) -> dict[str, Any]:
    """What the folder's `table.json` says."""
    return {
        "id": backbone.id,
        "provider": backbone.provider,
        "architecture": dict(backbone.architecture),
        "preprocessing": dict(backbone.preprocessing.value),
        "precision": precision_of(backbone),
        "view": None,
    }


def _names(backbone: Extractor, request: str | int) -> list[str]:
    """A number is always a block; a text of digits is a module first, as in `nn.Sequential`."""
    known = backbone.layers()
    if isinstance(request, int):
        return [_block(backbone, request)]
    if request in known:
        return [request]
    if request == "all":
        return [*blocks(backbone), LAST]
    if _NUMBER.match(request):
        return [_block(backbone, int(request))]
    matches = [name for name in fnmatch.filter(known, request) if name not in (INPUT, LOGITS)]
    if not matches:
        raise no_such_layer(backbone, request)
    return matches


def _block(backbone: Extractor, number: int) -> str:
    names = blocks(backbone)
    if not -len(names) <= number < len(names):
        raise LayerError(
            f"{backbone.id} has no block {number}.",
            expected=f"It has {len(names)}: from 0 to {len(names) - 1}, or -{len(names)} to -1 counted from the end."
            if names
            else "It has no chain of repeated blocks.",
            do=f"`icecore inspect {backbone.id}` lists its layers.",
        )
    return names[number]
