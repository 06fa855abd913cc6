"""`module:name` -> the user's layers."""

from __future__ import annotations

import importlib

from torch import nn

from icecore.errors import HeadError


def call(factory: str, n_features: int, n_classes: int) -> nn.Module:
    """Build layers by the function that `module:name` points at. Raises HeadError unless they are a torch.nn.Module."""
    made = _find(factory)(n_features, n_classes)
    if not isinstance(made, nn.Module):
        raise HeadError(
            f"{factory}({n_features}, {n_classes}) returned {type(made).__name__}.",
            expected="It returns a torch.nn.Module.",
        )
    return made


def _find(factory: str):  # type: ignore[no-untyped-def]
    module, _, name = factory.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise HeadError(
            f"There is no {factory!r}: {error}.",
            expected="'torch:module:factory' names an importable function (n_features, n_classes) -> torch.nn.Module.",
            do="Check the spelling, and that its folder is on the Python path.",
        ) from error
    return found
