"""Prefix: the frozen part of a network, a pure function of its input, addressed by what it derives from.

A column is a layer under a pooling. Its key hashes provider, architecture, layer, the weights that run up to it and the
preprocessing, so a network whose tail was tuned keeps the keys of everything below.

`cut` divides a network at a module: a `Prefix`, whose rows the store keeps, and a `Suffix`, which learns from them.
"""

from icecore.prefix.boundary import Prefix
from icecore.prefix.columns import (
    Column,
    blocks,
    column_key,
    columns_of,
    network_about,
    network_key,
    precision_of,
    prefix_key,
    raw_columns,
)
from icecore.prefix.cut import Cutter, cut
from icecore.prefix.pooling import POOLINGS, canonical_pooling, pool
from icecore.prefix.suffix import Place, Suffix

__all__ = [
    "POOLINGS",
    "Column",
    "Cutter",
    "Place",
    "Prefix",
    "Suffix",
    "blocks",
    "canonical_pooling",
    "column_key",
    "columns_of",
    "cut",
    "network_about",
    "network_key",
    "pool",
    "precision_of",
    "prefix_key",
    "raw_columns",
]
