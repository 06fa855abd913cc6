"""What is typical of a model's training data, beside the model: means and directions in features, no training row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from icecore.errors import ArtifactError
from icecore.evaluation import Typicality

FAMILIAR = "typical.safetensors"


def write_typical(typical: Mapping[str, Typicality], targets: Sequence[str], folder: Path, fingerprint: str) -> None:
    """Write what is typical for each target that it is known of; nothing where it is of none."""
    arrays: dict[str, np.ndarray] = {}
    for number, name in enumerate(targets):
        if name in typical:
            own = typical[name].arrays()
            arrays |= {f"{number}.{part}": np.ascontiguousarray(value) for part, value in own.items()}
    if arrays:
        save_file(arrays, folder / FAMILIAR, {"fingerprint": fingerprint})


def read_typical(file: Path, targets: Sequence[str], fingerprint: str) -> dict[str, Typicality]:
    """Read it back. Raises ArtifactError where the file is damaged or another model's."""
    try:
        with safe_open(file, "numpy") as source:
            own = (source.metadata() or {}).get("fingerprint") == fingerprint
            arrays = {name: source.get_tensor(name) for name in list(source.keys())} if own else {}
        reason = "" if own else "it was saved with another model"
        if not reason:
            return {name: _of(arrays, f"{n}.") for n, name in enumerate(targets) if f"{n}.mean" in arrays}
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        reason = f"it is damaged ({type(error).__name__})"
    raise ArtifactError(
        f"{file} cannot be used: {reason}.",
        do="Copy the model again, or delete this file: then nobody is told what is unlike the training data.",
    )


def _of(arrays: Mapping[str, np.ndarray], prefix: str) -> Typicality:
    own = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    return Typicality.of_arrays(own)
