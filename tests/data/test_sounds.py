"""Every kind of sound file, and samples in memory, come out as one channel, or with a reason for people."""

import re
import struct

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icecore.data import Sound, decode_sound, load, read, row_key
from icecore.errors import BadItemError, DataError
from tests.sounds import RATE, encoded, tone, write_tones

FORMS = [
    ("WAV", "PCM_16", 1e-4),
    ("WAV", "PCM_U8", 3e-2),
    ("WAV", "PCM_24", 1e-6),
    ("WAV", "FLOAT", 0),
    ("FLAC", "PCM_16", 1e-4),
    ("AIFF", "PCM_16", 1e-4),
    ("OGG", "VORBIS", 0.05),
    ("OGG", "OPUS", 0.2),
    ("MP3", "MPEG_LAYER_III", 0.2),
]


def reason(source):
    with pytest.raises(BadItemError) as caught:
        decode_sound(source)
    return str(caught.value)


@pytest.mark.parametrize(("form", "subtype", "tolerance"), FORMS)
def test_every_format_is_decoded(form, subtype, tolerance):
    """Samples come out as they went in, as near as the format keeps them, with their rate."""
    samples = tone()
    found = decode_sound(encoded(samples, form=form, subtype=subtype))
    assert (found.rate, found.samples.dtype, found.samples.shape) == (RATE, np.float32, samples.shape)
    assert np.linalg.norm(found.samples - samples) <= max(tolerance, 1e-7) * np.linalg.norm(samples)


def test_channels_are_averaged():
    """Two channels in a file and in memory, whichever axis they are on."""
    left, right = tone(seed=1), tone(hertz=700, seed=2)
    expected = (left + right) / 2
    both = np.stack([left, right], 1)
    for source in (encoded(both, subtype="FLOAT"), (both, RATE), (both.T, RATE)):
        assert np.allclose(decode_sound(source).samples, expected, atol=1e-7)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "float64"])
def test_numbers_of_every_type_fill_the_same_scale(dtype):
    """Full scale is from -1 to 1, whatever type held it; unsigned integers are around their middle."""
    values = {"int16": [0, 16384, -32768], "int32": [0, 1 << 30, -(1 << 31)], "uint8": [128, 192, 0]}
    samples = np.array(values.get(dtype, [0.0, 0.5, -1.0]), dtype)
    assert decode_sound((samples, RATE)).samples.tolist() == [0.0, 0.5, -1.0]


def test_what_hugging_face_gives():
    """A mapping with the array and its rate, and one with the file's bytes, are that sound."""
    samples = tone()
    for source in (
        {"array": samples, "sampling_rate": RATE, "path": None},
        {"bytes": encoded(samples, subtype="FLOAT"), "path": "a.wav"},
        (samples, RATE),
        Sound(samples, RATE),
    ):
        found = decode_sound(source)
        assert found.rate == RATE
        assert np.array_equal(found.samples, samples)


BAD = {
    "empty": (b"", "the file is empty"),
    "no samples": (encoded(np.zeros(0, np.float32)), "its length is zero"),
    "silent": (encoded(np.zeros(100, np.float32)), "silent: all of its 100 samples are zero"),
    "text": (b"This is no sound at all, it is a text.", "not a sound: starts with b'This is no sound"),
    "header only": (encoded(tone())[:30], "damaged or cut off: it starts like WAV"),
    "header of ogg": (encoded(tone(), form="OGG")[:60], "damaged or cut off: it starts like Ogg"),
    "half a wav": (encoded(tone())[:8000], "truncated"),
    "half a flac": (encoded(tone(), form="FLAC")[:3000], "damaged or cut off: it starts like FLAC"),
    "half an ogg": (encoded(tone(3), form="OGG")[:-500], "truncated|damaged or cut off: it starts like Ogg"),
    "half an mp3": (encoded(tone(3), form="MP3")[:4000], "truncated"),
    "m4a": (b"\0\0\0\x20ftypM4A " + b"\0" * 100, "an MP4 or M4A file, which libsndfile does not read: convert it"),
    "nan": ((np.array([0.1, np.nan], np.float32), RATE), "not finite"),
    "nan in a file": (encoded(np.array([0.1, np.nan], np.float32), subtype="FLOAT"), "not finite"),
    "no rate": (tone(), r"ndarray of shape \(8000,\) without a sampling rate is no sound.*a pair \(samples, rate\)"),
    "rate of zero": ((tone(), 0), "a sampling rate of 0: expected from 100"),
    "rate of none": ((tone(), None), "a sampling rate of None"),
    "half a rate": ((tone(), 8000.5), "a whole number"),
    "no keys": ({"samples": [1]}, "a dict without a sampling rate"),
    "an image": ((np.zeros((64, 64, 3), np.uint8), RATE), r"shape \(64, 64, 3\).* is no sound"),
    "words": ((["a", "b"], RATE), "is no sound"),
    "ragged": (([[0.1], [0.1, 0.2]], RATE), "no array of numbers"),
    "integers as floats": ((np.array([0.0, 20000.0]), RATE), "values from 0 to 20000 is no sound: expected floats"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_sound_says_why(name):
    """Each has its sentence."""
    source, expected = BAD[name]
    assert re.search(expected, reason(source))


def test_a_header_that_promises_too_much():
    """A rate or a number of channels that no file has, and sizes that are not those of the file."""
    raw = bytearray(encoded(tone()))
    struct.pack_into("<I", raw, 24, 3)
    assert "a sampling rate of 3" in reason(bytes(raw))
    raw = bytearray(encoded(tone()))
    struct.pack_into("<I", raw, 40, len(raw) * 2)
    assert "truncated" in reason(bytes(raw))
    struct.pack_into("<I", raw, 40, 0xFFFFFFFF)  # how streams are written
    assert decode_sound(bytes(raw)).samples.size == 8000


@settings(max_examples=60)
@given(st.binary(max_size=80), st.integers(0, 60))
def test_damaged_headers_never_raise_anything_else(noise, at):
    """Whatever stands in the header: a sound or a reason."""
    raw = encoded(tone(0.01))
    damaged = raw[:at] + noise + raw[at + len(noise) :]
    assert fine(damaged)


def fine(source):
    """Whether one finite channel that is not silent comes out, or a reason; anything else is raised."""
    try:
        found = decode_sound(source)
    except BadItemError as error:
        return bool(str(error))
    return found.samples.ndim == 1 and bool(np.isfinite(found.samples).all() and found.samples.any())


_DTYPES = st.one_of(hnp.integer_dtypes(), hnp.floating_dtypes(), hnp.boolean_dtypes(), hnp.complex_number_dtypes())


@settings(max_examples=80)
@given(hnp.arrays(_DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)), st.integers(-5, 50_000))
def test_odd_arrays_never_raise_anything_else(array, rate):
    """Any array with any rate: one finite channel, or a reason."""
    assert fine((array, rate))


def test_the_rate_is_part_of_the_row():
    """The same samples at another rate are another sound; a pair and a mapping of the same are one."""
    samples = tone()
    rows = []
    for source in ((samples, RATE), {"array": samples, "sampling_rate": RATE}, (samples, 8000)):
        (item,) = read([source], modality="sound").inputs
        rows.append(row_key(item, "sound"))
        assert load(item, "sound")[0] == rows[-1]
    assert rows[0] == rows[1] != rows[2]


def test_a_folder_of_sounds(tmp_path):
    """Class folders are labels; what is no sound is counted."""
    folder = write_tones(tmp_path / "tones", each=2)
    (folder / "low" / "cover.jpg").write_bytes(b"x")
    data = read(folder, modality="sound")
    assert data.targets["label"].tolist() == ["high", "high", "low", "low"]
    assert data.notes == ("Ignored 1 file that is not sounds: 1 .jpg.",)
    assert load(data.inputs[0], data.modality)[1].rate == RATE


def test_a_folder_without_sounds(tmp_path):
    """The error says what was there instead."""
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    with pytest.raises(DataError, match=r"holds no sounds\. Ignored 1 file that is not sounds: 1 \.txt"):
        read(tmp_path, modality="sound")


def test_a_table_of_sounds(tmp_path):
    """The column of paths is found by its usual name."""
    write_tones(tmp_path, each=1)
    (tmp_path / "tones.csv").write_text("audio,label\nlow/0.wav,low\nhigh/0.wav,high\nnone.wav,low\n", "utf-8")
    data = read(tmp_path / "tones.csv", modality="sound")
    assert [item.name for item in data.inputs] == ["low/0.wav", "high/0.wav"]
    assert [(bad.row, bad.reason) for bad in data.bad] == [(2, "no such file")]


def test_a_data_frame_of_records():
    """Records with an array and a rate, as data sets hold them, are inputs; rows without one are set aside."""
    record = {"array": tone(), "sampling_rate": RATE}
    data = read(pd.DataFrame({"audio": [record, None], "label": ["a", "b"]}), modality="sound")
    assert [item.row for item in data.inputs] == [0]
    assert load(data.inputs[0], "sound")[1].samples.size == 8000
