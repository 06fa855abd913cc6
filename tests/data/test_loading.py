"""One item becomes a row key and a decoded input; what cannot be read has a reason."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecore import keys
from icecore.data import Item, load, read, row_key
from icecore.errors import BadItemError, UsageError
from tests.data.files import distance, encoded, picture, write_picture


def item(kind, value):
    return Item(0, "it", kind, value)


def test_a_file_is_hashed_and_decoded(tmp_path):
    """The key is that of the file's bytes, whatever it is called and wherever it lies."""
    path = write_picture(tmp_path / "a.png")
    key, image = load(item("file", path))
    assert key == keys.row_of_file(path) == row_key(item("file", path))
    assert distance(image, picture()) == 0
    assert load(item("bytes", path.read_bytes()))[0] == key == row_key(item("bytes", path.read_bytes()))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_arrays_and_pil_images_with_equal_pixels_have_one_key(width, height, seed):
    """A PIL image is keyed by its pixels as RGB; other pixels have another key."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    key, image = load(item("array", pixels))
    assert key == row_key(item("array", pixels)) == keys.row_of_array(pixels)
    assert load(item("array", image))[0] == key == row_key(item("array", image))
    assert load(item("array", 255 - pixels))[0] != key


@pytest.mark.parametrize("use", [load, row_key])
def test_a_file_that_cannot_be_read_has_a_reason(tmp_path, use):
    """Missing, a folder, an impossible name, no permission."""
    secret = write_picture(tmp_path / "secret.png")
    secret.chmod(0)
    cases = {
        tmp_path / "none.png": "no such file",
        secret / "below.png": "no such file",
        tmp_path / "nul\0.png": "no such file",
        tmp_path: "a folder, not a file",
    }
    if not os.access(secret, os.R_OK):
        cases[secret] = "the file may not be read: permission denied"
    for path, reason in cases.items():
        with pytest.raises(BadItemError) as caught:
            use(item("file", path))
        assert str(caught.value) == reason


def test_an_array_of_objects_is_no_item():
    """What has no numbers has neither a key nor a picture."""
    for use in (load, row_key):
        with pytest.raises(BadItemError, match="object"):
            use(item("array", np.array([None])))


def test_an_unknown_modality_is_named():
    """The error lists what there is."""
    with pytest.raises(UsageError, match=r"There is no modality called 'smell'\. Known are .*image"):
        load(item("bytes", encoded(picture())), "smell")
    with pytest.raises(UsageError, match="There is no modality called 'smell'"):
        read([], modality="smell")


def test_names_with_spaces_quotes_new_lines_and_unicode_are_read(tmp_path):
    """Every name that a file system takes is listed, shown and read; bytes that are no UTF-8 are shown escaped."""
    names = ["with space.png", "quote'\".png", "new\nline.png", "ünï—😀.png", "a,b;c\t.png", "-x.png", "%41.png"]
    for name in names:
        write_picture(tmp_path / "class one" / name)
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        write_picture(tmp_path / "class one" / odd)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    data = read(tmp_path)
    shown = {f"class one/{name}" for name in [*names, "caf\\xe9.png"]}
    assert {each.name for each in data.inputs} == shown
    assert all(distance(load(each)[1], picture()) == 0 for each in data.inputs)
    assert not data.bad
