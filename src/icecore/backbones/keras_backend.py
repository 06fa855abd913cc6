"""Keras on its torch backend, which has to be chosen before Keras is first imported."""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from icecore.backbones import extras
from icecore.errors import BackboneError, MissingExtraError

_NAME = "KERAS_BACKEND"


def keras_on_torch() -> Any:
    """Keras. Raises BackboneError where it runs on another backend already, MissingExtraError where it is not there."""
    if "keras" not in sys.modules:
        before = os.environ.get(_NAME)
        os.environ[_NAME] = "torch"
        try:
            return extras.require("keras", "keras")
        finally:
            _restore(before)
    keras = extras.require("keras", "keras")
    if keras.backend.backend() != "torch":
        raise BackboneError(
            f"Keras was imported on its {keras.backend.backend()} backend, and icecore runs it on torch.",
            expected="One backend in a process, chosen before the first `import keras`.",
            do="Set the environment variable KERAS_BACKEND=torch, or let icecore load the network first.",
        )
    return keras


@cache
def application_names() -> list[str]:
    """Names of keras.applications, read from its list of exports: importing Keras takes seconds."""
    spec = find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            "This needs keras, which is not installed.", do="Install it with: pip install 'icecore[keras]'"
        )
    exports = Path(next(iter(spec.submodule_search_locations))) / "applications" / "__init__.py"
    return sorted(set(re.findall(r"\b([A-Z]\w+) as \1\b", exports.read_text("utf-8"))))


@contextmanager
def seeded_keras(keras: Any, seed: int | None) -> Iterator[None]:
    """Keras, torch, NumPy and Python seeded (0 where none is given), and left afterwards as they were."""
    python, numbers = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        keras.utils.set_random_seed(seed or 0)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)


def _restore(before: str | None) -> None:
    if before is None:
        del os.environ[_NAME]
    else:
        os.environ[_NAME] = before
