"""Preprocessing from its JSON form: a `preprocess.json`, or the value in an artifact. One door for every modality.

The field `type` says which computation it is: `image.v1`, `tensor.v1`, ... Its part before the dot names the family,
and with it the modality of a network that takes what the preprocessing makes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from icecore.data.array_preprocessing import ArrayPreprocessing
from icecore.data.preprocessing import ImagePreprocessing
from icecore.data.sound_preprocessing import LogMelPreprocessing, WaveformPreprocessing
from icecore.errors import PreprocessingError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Family:
    """Preprocessings of one kind: the model of their fields, and the modality of what they take."""

    model: type[BaseModel]
    modality: str


FAMILIES = {
    "image": Family(ImagePreprocessing, "image"),
    "logmel": Family(LogMelPreprocessing, "sound"),
    "tensor": Family(ArrayPreprocessing, "array"),
    "waveform": Family(WaveformPreprocessing, "sound"),
}


def is_own(value: Mapping[str, Any]) -> bool:
    """Whether a value is of one of icecore's own families, and not a provider's."""
    return _prefix(value.get("type")) in FAMILIES


def modality_of(value: Mapping[str, Any]) -> str:
    """What a preprocessing of this value takes; `image` where a provider's or the user's own does not say.

    Example:
        >>> modality_of({"type": "tensor.v1"}), modality_of({"kind": "callable"})
        ('array', 'image')
    """
    return FAMILIES[_prefix(value["type"])].modality if is_own(value) else "image"


def preprocessing_from(value: Mapping[str, Any], origin: str = "The preprocessing") -> Any:
    """A preprocessing from its JSON form; without a `type` it is `image.v1`.

    Raises PreprocessingError, which names each field that is wrong.

    Example:
        >>> preprocessing_from({"resize": "exact", "resize_size": 32}).shape
        (3, 32, 32)
    """
    kind = value.get("type", "image.v1")
    family = FAMILIES.get(_prefix(kind))
    if family is None:
        raise PreprocessingError(
            f"{origin} has the type {kind!r}.", expected=f"Known types begin with {', '.join(sorted(FAMILIES))}."
        )
    try:
        return family.model.model_validate(dict(value))
    except ValidationError as error:
        raise _invalid(origin, family, error) from error


def preprocessing_from_file(path: str | os.PathLike[str]) -> Any:
    """Read a `preprocess.json`. Raises PreprocessingError, which names each field that is wrong."""
    origin = f"The preprocessing file {path}"
    try:
        value = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise PreprocessingError(f"{origin} cannot be read: {error.strerror}.", do="Check the path.") from error
    except ValueError as error:  # JSON and UTF-8 errors are both of this kind
        raise PreprocessingError(f"{origin} is not JSON: {error}.", expected="One JSON object with fields.") from error
    if not isinstance(value, dict):
        raise PreprocessingError(
            f"{origin} is not valid: it holds a {type(value).__name__}.", expected="One JSON object with fields."
        )
    return preprocessing_from(value, origin)


def _prefix(kind: Any) -> str:
    return str(kind).partition(".")[0]


def _invalid(origin: str, family: Family, error: ValidationError) -> PreprocessingError:
    wrong = "; ".join(
        ": ".join(part for part in (".".join(map(str, found["loc"])), found["msg"]) if part) for found in error.errors()
    )
    return PreprocessingError(
        f"{origin} is not valid: {wrong}.", expected=f"Fields are {', '.join(family.model.model_fields)}."
    )
