"""Checkpoints: a training that was interrupted goes on from its last epoch.

They lie beside the store's tables, under a key of everything that the training derives from, and are removed when the
whole of it is done.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any, Protocol

import torch

FOLDER = "training"


class Resumable(Protocol):
    """A training, or a phase of one."""

    def checkpoint(self) -> dict[str, Any]:
        """Everything that what follows depends on, as plain values and tensors."""
        ...

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint. Raises KeyError, RuntimeError or ValueError where it does not fit."""
        ...


class Checkpoints:
    """The checkpoints of one command.

    Args:
        root: of the store.
        key: of everything that the trainings derive from.
    """

    def __init__(self, root: Path, key: str) -> None:
        self._folder = root / FOLDER / key

    def save(self, name: str, training: Resumable) -> None:
        """Write a training as it stands, aside and in one rename."""
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = self._folder / f".{name}.{uuid.uuid4().hex[:8]}"
        torch.save(training.checkpoint(), aside)
        aside.replace(self._folder / f"{name}.pt")

    def load(self, name: str, training: Resumable) -> bool:
        """Go on from a checkpoint, if there is one that can be read."""
        file = self._folder / f"{name}.pt"
        if not file.is_file():
            return False
        try:
            training.resume(torch.load(file, map_location="cpu", weights_only=True))
        except (RuntimeError, KeyError, TypeError, ValueError, OSError, EOFError):  # damaged: begin anew
            file.unlink(missing_ok=True)
            return False
        return True

    def clear(self) -> None:
        """Remove them: the command is done."""
        shutil.rmtree(self._folder, ignore_errors=True)
