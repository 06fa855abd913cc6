"""Loaded backbones, kept for the life of a process: a grid search asks for the same one again and again."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

from icecore.api.pretrained import PretrainedModel
from icecore.backbones import Extractor, Reference, parse

_KEPT = 2
_loaded: OrderedDict[tuple[Any, ...], Extractor] = OrderedDict()
_lock = Lock()  # a grid search may run in threads


def loaded(backbone: str | PretrainedModel, **how: Any) -> Extractor:
    """The backbone of an id, from memory if its local files have not changed since; or the one that a model holds.

    `how` is given to `PretrainedModel.load`.
    """
    if isinstance(backbone, PretrainedModel):
        return backbone.backbone
    key = (backbone, *how.items(), _stamps(parse(backbone)))
    with _lock:
        if key not in _loaded:
            _loaded[key] = PretrainedModel.load(backbone, **how).backbone
        _loaded.move_to_end(key)
        while len(_loaded) > _KEPT:
            _loaded.popitem(last=False)
        return _loaded[key]


def _stamps(reference: Reference) -> tuple[Any, ...]:
    """Sizes and times of the local files that an id names: weights, a folder, the code of `nets.py:build`."""
    code = Path(reference.name.rpartition(":")[0] or reference.name)
    named = [code, reference.path, Path(reference.options.get("weights", code))]
    files = {file for path in named if path for file in (path.iterdir() if path.is_dir() else [path])}
    return tuple(
        (str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in sorted(files) if file.exists()
    )
