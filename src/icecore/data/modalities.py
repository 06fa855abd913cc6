"""Modalities: how a kind of input is recognised and decoded. A new one is a value to register."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from icecore.data.array_preprocessing import decode_array
from icecore.data.image_formats import EXTENSIONS
from icecore.data.images import decode_image
from icecore.data.sound_files import EXTENSIONS as SOUND_EXTENSIONS
from icecore.data.sounds import decode_sound
from icecore.data.texts import EXTENSIONS as TEXT_EXTENSIONS
from icecore.data.texts import decode_text
from icecore.data.tuples import decode_tuple
from icecore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of input.

    Attributes:
        name: `image`, `text`, ...
        noun: what its items are called in sentences, in the plural.
        extensions: of its files, lower case, with the dot.
        decode: from a file's bytes, a text, an array or another object in memory to the decoded input; raises
            BadItemError with a reason that a person understands.
        columns: usual names of its column in tables, the likeliest first.
        strings: whether a bare string in a list or a column is the path of a `file` or a `text`.
        parts: of which modalities an item has one input each; empty where an item is one input.
    """

    name: str
    noun: str
    extensions: frozenset[str]
    decode: Callable[[Any], Any]
    columns: tuple[str, ...]
    strings: Literal["file", "text"] = "file"
    parts: tuple[Modality, ...] = ()


IMAGE = Modality(
    name="image",
    noun="images",
    extensions=EXTENSIONS,
    decode=decode_image,
    columns=("path", "file", "filename", "file_name", "filepath", "image", "image_path", "img"),
)
SOUND = Modality(
    name="sound",
    noun="sounds",
    extensions=SOUND_EXTENSIONS,
    decode=decode_sound,
    columns=("path", "audio", "file", "filename", "file_name", "filepath", "audio_path", "sound", "wav"),
)
TEXT = Modality(
    name="text",
    noun="texts",
    extensions=TEXT_EXTENSIONS,
    decode=decode_text,
    columns=("text", "sentence", "utterance", "review", "question", "content", "body", "message", "comment", "query"),
    strings="text",
)
IMAGE_TEXT = Modality(
    name="image+text",
    noun="pairs of an image and a text",
    extensions=frozenset(),
    decode=decode_tuple,
    columns=(),
    parts=(IMAGE, replace(TEXT, columns=("caption", *TEXT.columns, "title", "description", "alt"))),
)
ARRAY = Modality(
    name="array",
    noun="arrays",
    extensions=frozenset({".npy"}),
    decode=decode_array,
    columns=("path", "file", "filename", "file_name", "filepath", "array"),
)
_registered = {each.name: each for each in (ARRAY, IMAGE, SOUND, TEXT, IMAGE_TEXT)}


def register_modality(modality: Modality) -> None:
    """Offer a modality under its name, for this process."""
    _registered[modality.name] = modality


def modalities() -> tuple[Modality, ...]:
    """Every modality that is registered, by name."""
    return tuple(_registered[name] for name in sorted(_registered))


def modality_named(name: str) -> Modality:
    """The modality of that name. Raises UsageError where there is none."""
    if name not in _registered:
        known = ", ".join(sorted(_registered))
        raise UsageError(f"There is no modality called {name!r}.", expected=f"Known are {known}.")
    return _registered[name]


def modality_of_files(names: Iterable[str]) -> Modality | None:
    """What files hold, by the endings of most of them; None where no modality that reads files knows any.

    Example:
        >>> modality_of_files(["a/1.WAV", "a/2.flac", "a/cover.jpg"]).name
        'sound'
    """
    endings = Counter(PurePath(name).suffix.lower() for name in names)
    files = [modality for modality in modalities() if modality.strings == "file" and not modality.parts]
    known = {modality.name: sum(endings[ending] for ending in modality.extensions) for modality in files}
    most = max(files, key=lambda modality: known[modality.name])
    return most if known[most.name] else None
