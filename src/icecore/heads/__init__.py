"""Heads: small classifiers on plain arrays; they know nothing of networks or files.

A fitted head is a list of steps (standardise, linear map, kernel, softmax...), each a pure function made of a few
numbers and arrays. So every head, whatever fitted it, predicts and is saved in the same way: as JSON and arrays,
without pickle.
"""

from __future__ import annotations

from icecore.heads.making import make, penalties, restore
from icecore.heads.protocol import Head
from icecore.heads.rows import Rows, SideBySide, pieces
from icecore.heads.sweeping import ridge_loo, sweep, sweep_all

__all__ = [
    "Head",
    "Rows",
    "SideBySide",
    "make",
    "penalties",
    "pieces",
    "restore",
    "ridge_loo",
    "sweep",
    "sweep_all",
]
