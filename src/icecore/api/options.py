"""What users write for a store, a preprocessing or progress, and what it becomes."""

from __future__ import annotations

import functools
import inspect
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from icecore import keys
from icecore.backbones import Extractor, Preprocessing
from icecore.data import preprocessing_from, preprocessing_from_file
from icecore.errors import PreprocessingError
from icecore.features import Progress, Silent, Terminal
from icecore.prefix import Column, columns_of
from icecore.store import Store


def columns_for(
    backbone: Extractor, layers: str | int | Sequence[str | int], pooling: str | Sequence[str]
) -> list[Column]:
    """The columns that layers under one pooling or several make, each once. Raises LayerError, UsageError."""
    poolings = [pooling] if isinstance(pooling, str) else pooling
    return list(dict.fromkeys(column for name in poolings for column in columns_of(backbone, layers, name)))


def open_store(store: Store | str | os.PathLike[str] | None) -> Store:
    """A store, or the one in a folder, or the default one (`ICECORE_STORE`, else the user's cache directory)."""
    return store if isinstance(store, Store) else Store(store)


def open_progress(progress: Progress | bool) -> Progress:
    """True for a bar or lines on standard error, False for nothing, or an object that is told."""
    if isinstance(progress, bool):
        return Terminal() if progress else Silent()
    return progress


def open_preprocessing(given: Any) -> Preprocessing | None:
    """A preprocessing from a `preprocess.json`, its content, a callable such as torchvision's transforms, or itself.

    Raises PreprocessingError.
    """
    if given is None or hasattr(given, "value"):
        return given  # type: ignore[no-any-return]  # a Preprocessing by its attribute
    if isinstance(given, str | os.PathLike):
        return preprocessing_from_file(given)  # type: ignore[no-any-return]  # of any family
    if isinstance(given, Mapping):
        return preprocessing_from(given)  # type: ignore[no-any-return]  # of any family
    if callable(given):
        return CallablePreprocessing(given)
    raise PreprocessingError(
        f"Got a preprocessing of type {type(given).__name__}.",
        expected="A path to preprocess.json, a mapping of its fields, or a callable from an RGB image to a tensor.",
    )


class CallablePreprocessing:
    """Any callable from a PIL image in RGB to a float tensor (channels, height, width).

    Its value is what it prints as, if that says what it does (torchvision's transforms do), or its code if it is a
    plain function. Otherwise nothing of it can be known, and features are kept for this process only.
    """

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self._transform = transform
        self._value = {"kind": "callable", "is": _identity(transform)}

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form."""
        return self._value

    def __call__(self, decoded: Any) -> Any:
        """RGB image to (channels, height, width), float32."""
        return torch.as_tensor(self._transform(decoded)).float()


def _identity(transform: Callable[[Any], Any]) -> str:
    said = repr(transform)
    if " at 0x" not in said and "function <lambda>" not in said:
        return said
    code = getattr(transform, "__code__", None)
    if code is None or transform.__closure__ or isinstance(transform, functools.partial):
        return uuid.uuid4().hex
    try:
        return keys.key("code", inspect.getsource(transform))
    except (OSError, TypeError):
        return keys.key("code", [code.co_code.hex(), list(code.co_names), repr(code.co_consts)])
