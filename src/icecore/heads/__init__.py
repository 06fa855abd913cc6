"""Heads: small models on plain arrays, that tell classes or numbers; they know nothing of networks or files.

A fitted head is a list of steps (standardise, linear map, kernel, softmax...), each a pure function made of a few
numbers and arrays. So every head, whatever fitted it, predicts and is saved in the same way: as JSON and arrays,
without pickle.
"""

from __future__ import annotations

from icecore.heads.inner_folds import parts_by_size
from icecore.heads.making import make, penalties, restore
from icecore.heads.making_numbers import make_regressor, regressor_penalties, restore_regressor
from icecore.heads.multilabel import MultilabelHead
from icecore.heads.numbers import NUMBERS, Regressor
from icecore.heads.ordinal import OrdinalHead
from icecore.heads.protocol import Head
from icecore.heads.rows import Rows, SideBySide, pieces
from icecore.heads.sweeping import ridge_loo, sweep, sweep_all
from icecore.heads.sweeping_answers import strata_of, sweep_answers
from icecore.heads.sweeping_numbers import ridge_loo_numbers, sweep_numbers

__all__ = [
    "NUMBERS",
    "Head",
    "MultilabelHead",
    "OrdinalHead",
    "Regressor",
    "Rows",
    "SideBySide",
    "make",
    "make_regressor",
    "parts_by_size",
    "penalties",
    "pieces",
    "regressor_penalties",
    "restore",
    "restore_regressor",
    "ridge_loo",
    "ridge_loo_numbers",
    "strata_of",
    "sweep",
    "sweep_all",
    "sweep_answers",
    "sweep_numbers",
]
