"""Pillow warns about single files; what matters of that is the item's reason, or nothing."""

from __future__ import annotations

import re
import threading
import warnings

_PILLOW = r"PIL\."
_CATEGORIES = (RuntimeWarning, UserWarning)
_lock = threading.Lock()


def silence_pillow() -> None:
    """Ignore the warnings that Pillow's modules raise about files, from now on.

    A filter that stays, and is put first again where others were put before it: `warnings.catch_warnings` swaps the
    filters of the whole process, which is not safe in the threads that decode.
    """
    if not _is_silent():
        with _lock:
            if not _is_silent():  # another thread was first; moving its filters would let a warning through meanwhile
                _put_first()


def _put_first() -> None:
    for category in _CATEGORIES:
        warnings.filterwarnings("ignore", module=_PILLOW, category=category)


def _is_silent() -> bool:
    first = warnings.filters[: len(_CATEGORIES)]
    return {category for _, _, category, module, _ in first if _is_ours(module)} == set(_CATEGORIES)


def _is_ours(module: object) -> bool:
    return isinstance(module, re.Pattern) and module.pattern == _PILLOW
