"""Sound files, read by libsndfile block by block, and what can be told of one that cannot be read."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.data.remarks import remark
from icecore.errors import BadItemError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

EXTENSIONS = frozenset({
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64", ".wav", ".wave",
})  # fmt: skip
MAX_SAMPLES = 1 << 28  # of one channel: an hour and 40 minutes at 44,100 Hz, 1 GiB

_BLOCK = 1 << 18
_SIGNATURES = {b"RIFF": "WAV", b"RF64": "WAV", b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"FORM": "AIFF"}
_OTHERS = {b"ftyp": "an MP4 or M4A", b"\x1aE\xdf\xa3": "a Matroska or WebM", b"#!AMR": "an AMR"}
_ENDLESS = 0x7FFFF000  # what writers of streams put where they do not know the size
_LAST_PAGE = 4


def read_sound(raw: bytes) -> tuple[NDArray[np.float32], int]:
    """A file's content -> its channels averaged, float32 (n,), and its rate.

    Raises:
        BadItemError: with the reason, for people.
        MissingExtraError: soundfile is not installed.
    """
    if not raw:
        raise BadItemError("the file is empty")
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as file:
            declared, channels = file.frames, file.channels
            samples = np.concatenate([np.zeros(0, np.float32), *_blocks(file)])
            rate = file.samplerate
    except soundfile.SoundFileError as error:
        raise _unreadable(raw, error) from error
    if len(samples) < declared or _cut_off(raw):
        raise BadItemError("the sound is truncated: its header promises more than the file holds")
    remark_channels(channels)
    return samples, rate


def remark_channels(channels: int) -> None:
    """Say that several channels became one."""
    if channels > 1:
        remark(f"were averaged from {channels} channels to one")


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError where it came without its libsndfile
        raise MissingExtraError(
            f"Reading sounds needs soundfile, which cannot be imported: {error}.",
            do="Install it with: pip install 'icecore[audio]'",
        ) from error
    return soundfile


def _blocks(file: Any) -> Iterator[NDArray[np.float32]]:
    """One channel, a block at a time: a header may promise any number of samples, and of channels."""
    total = 0
    while True:
        block = file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)
        total += len(block)
        if not len(block):
            return
        if total > MAX_SAMPLES:
            raise BadItemError(f"more than {MAX_SAMPLES:,} samples, the most that is decoded")
        yield block[:, 0] if file.channels == 1 else block.mean(1)


def _cut_off(raw: bytes) -> bool:
    """Whether a WAV or Ogg file ends before its own end, which libsndfile does not tell."""
    if raw.startswith(b"RIFF"):
        return _wav_cut_off(raw)
    if raw.startswith(b"OggS"):
        return _ogg_cut_off(raw, raw.rfind(b"OggS"))
    return False


def _ogg_cut_off(raw: bytes, last: int) -> bool:
    """Whether the last page that starts does not say that it is the last, or is not there as a whole."""
    if last + 27 > len(raw) or not raw[last + 5] & _LAST_PAGE:
        return True
    sizes = raw[last + 27 : last + 27 + raw[last + 26]]
    return last + 27 + raw[last + 26] + sum(sizes) > len(raw)


def _wav_cut_off(raw: bytes) -> bool:
    at = 12
    while at + 8 <= len(raw):
        name, size = struct.unpack_from("<4sI", raw, at)
        if name == b"data":
            return bool(len(raw) - at - 8 < size < _ENDLESS)
        at += 8 + size + size % 2
    return False


def _unreadable(raw: bytes, error: Exception) -> BadItemError:
    other = next((name for start, name in _OTHERS.items() if raw[:12].find(start) in (0, 4)), None)
    if other:
        return BadItemError(f"{other} file, which libsndfile does not read: convert it to WAV, FLAC, Ogg or MP3")
    known = next((name for start, name in _SIGNATURES.items() if raw.startswith(start)), None)
    if known:
        reason = str(getattr(error, "error_string", "") or error).strip().rstrip(".")
        return BadItemError(f"the sound is damaged or cut off: it starts like {known}, and cannot be read ({reason})")
    return BadItemError(f"not a sound: starts with {raw[:16]!r}")
