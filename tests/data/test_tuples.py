"""Pairs of an image and a text: two columns, or tuples; keys of both; bad halves."""

import numpy as np
import pandas as pd
import pytest

from icecore import keys
from icecore.data import load, modality_named, read, row_key
from icecore.data.readers import ReadOptions
from icecore.data.tables import reader
from icecore.errors import BadItemError, DataError
from icecore.testing.readers import check_reader
from tests.data.files import write_picture
from tests.data.test_tables import write_table

PAIRS = "image+text"
NAMES = ("image", "caption", "label")


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("a.png", "b.png")):
        write_picture(tmp_path / name, seed)
    return tmp_path


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_table_with_two_input_columns(folder, form):
    """Both are guessed by their usual names; an item is a file and a text, under the key of both."""
    table = write_table(folder / f"t.{form}", [("a.png", "A cat", "x"), ("b.png", "A dog", "y")], NAMES)
    data = check_reader(reader, table, options=ReadOptions(modality=modality_named(PAIRS)), rows=2)
    assert data.notes == ("Took 'image', 'caption' for the input columns and 'label' for the target.",)
    first = data.inputs[0]
    row, (image, text) = load(first, PAIRS)
    assert (first.name, image.mode, text) == ("a.png + A cat", "RGB", "A cat")
    assert row == row_key(first, PAIRS)
    assert row == keys.row_of_tuple([keys.row_of_file(folder / "a.png"), keys.row_of_text("A cat")])


@pytest.mark.parametrize("columns", ["photo,says", ("photo", "says")])
def test_columns_can_be_named(folder, columns):
    """By one string with a comma, as on the command line, or by several; the order says which is which."""
    table = write_table(folder / "t.csv", [("A cat", "a.png", "x")], ("says", "photo", "label"))
    data = read(table, input_col=columns, modality=PAIRS)
    assert [part.kind for part in data.inputs[0].value] == ["file", "text"]
    assert data.targets["label"].tolist() == ["x"]


def test_columns_that_do_not_fit(folder):
    """One name is too few, and what cannot be guessed is asked for."""
    table = write_table(folder / "t.csv", [("a.png", "A cat", "x")], ("photo", "says", "label"))
    with pytest.raises(DataError, match=r"Got 'photo' as the input columns.*each of image, text, in this order"):
        read(table, input_col="photo", modality=PAIRS)
    with pytest.raises(DataError, match=r"has no column 'sais'.*'says'"):
        read(table, input_col="photo,sais", modality=PAIRS)


def test_tuples_and_data_frames_in_python(folder):
    """Paths, arrays or images with texts; a frame by its columns; equal pairs have equal keys."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    listed = read([(str(folder / "a.png"), "one"), (pixels, "two")], modality=PAIRS)
    frame = read(pd.DataFrame({"image": [str(folder / "a.png")], "text": ["one"]}), modality=PAIRS)
    assert load(listed.inputs[0], PAIRS)[0] == load(frame.inputs[0], PAIRS)[0]
    assert load(listed.inputs[1], PAIRS)[1][1] == "two"


def test_a_bad_half_is_named(folder):
    """No file, no text, no tuple, no image in the file: each row with its own reason, and none shifts another."""
    (folder / "broken.png").write_bytes(b"no picture")
    paths = [str(folder / name) for name in ("a.png", "none.png", "b.png", "broken.png")]
    given = [(paths[0], "one"), (paths[1], "two"), (paths[2], None), (paths[3], "four"), paths[0], (paths[0],)]
    data = read(given, modality=PAIRS)
    assert [(bad.row, bad.reason) for bad in data.bad] == [
        (1, "image: no such file"),
        (2, "no text"),
        (4, "got str, expected a tuple (image, text)"),
        (5, "got 1 parts, expected a tuple (image, text)"),
    ]
    assert [item.row for item in data.inputs] == [0, 3]
    with pytest.raises(BadItemError, match=r"^image: "):
        load(data.inputs[1], PAIRS)
    with pytest.raises(BadItemError, match=r"^text: the text is empty"):
        load(read([(paths[0], " ")], modality=PAIRS).inputs[0], PAIRS)


def test_a_folder_of_images_is_no_pairs(folder):
    """It says that it holds none."""
    with pytest.raises(DataError, match="holds no pairs of an image and a text"):
        read(folder, modality=PAIRS)


def test_files_that_are_nowhere(folder):
    """Where no path leads to a file, it is the folder that is wrong."""
    table = write_table(folder / "t.csv", [("c.png", "one", "x"), ("d.png", "two", "y")], NAMES)
    with pytest.raises(DataError, match="None of the 2 files"):
        read(table, modality=PAIRS)
