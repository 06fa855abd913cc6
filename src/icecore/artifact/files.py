"""Files of an artifact whose hash is in its manifest: another file would predict something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from icecore import keys
from icecore.errors import ArtifactError

Parsed = TypeVar("Parsed")


def read_checked(file: Path, digest: str, parse: Callable[[bytes], Parsed], again: str) -> Parsed:
    """What a file holds. Raises ArtifactError where it is not, bit for bit, the one that was saved.

    Args:
        file: of safetensors.
        digest: its hash, in hexadecimal.
        parse: from its content.
        again: what makes it anew, such as `fit`.
    """
    try:
        content = file.read_bytes()
        if keys.row_of_bytes(content).hex() == digest:
            return parse(content)
        reason = "it is not the file that was saved with the manifest"
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise ArtifactError(f"{file} cannot be used: {reason}.", do=f"Copy the model again, or {again} again.")
