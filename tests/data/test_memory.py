"""What a program holds already: lists, arrays, series and data frames."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image

from icecore.data import BadItem, ReadOptions, load, read
from icecore.data.frames import reader as frames
from icecore.data.sequences import reader as sequences
from icecore.errors import BadItemError, DataError
from icecore.testing.readers import check_reader
from tests.data.files import distance, encoded, picture, write_picture

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}


@pytest.fixture
def paths(tmp_path):
    return [str(write_picture(tmp_path / f"{seed}.png", seed)) for seed in range(3)]


def test_a_list_of_anything_is_read(paths):
    """Paths as text and as Path, file contents, arrays, tensors and PIL images, mixed."""
    pixels = np.asarray(picture())
    source = [paths[0], Path(paths[1]), encoded(picture()), pixels, torch.tensor(pixels), picture()]
    data = check_reader(sequences, source, rows=6, labelled=False)
    assert [item.kind for item in data.inputs] == ["file", "file", "bytes", "array", "array", "array"]
    found = [load(item)[1] for item in data.inputs]
    assert all(distance(each, picture(seed=seed)) == 0 for each, seed in zip(found, (0, 1, 0, 0, 0, 0), strict=True))
    assert [item.name for item in data.inputs][:3] == [paths[0], paths[1], "row 2"]


def test_what_is_bad_in_a_list_is_set_aside(paths, tmp_path):
    """None, NaN, an empty string, a missing file and a folder keep their rows; the others do too."""
    source = [None, paths[0], "", float("nan"), str(tmp_path / "none.png"), str(tmp_path), paths[1]]
    data = check_reader(sequences, source, rows=7, labelled=False)
    assert [(bad.row, bad.reason) for bad in data.bad] == [
        (0, "no input"),
        (2, "no input"),
        (3, "no input"),
        (4, "no such file"),
        (5, "a folder, not a file"),
    ]
    assert [item.row for item in data.inputs] == [1, 6]


def test_an_array_of_images_is_read():
    """(n, height, width) and (n, height, width, channels); rows are views, not copies."""
    for shape in ((4, 8, 6), (4, 8, 6, 3), (4, 3, 8, 6)):
        images = np.zeros(shape, np.uint8)
        data = check_reader(sequences, images, rows=4, labelled=False)
        assert load(data.inputs[0])[1].size == (6, 8)
        assert np.shares_memory(data.inputs[2].value, images)


def test_an_array_of_paths_is_read(paths):
    """As scikit-learn hands them on: one axis, or a single column; fixed-size or object strings."""
    for source in (np.array(paths), np.array(paths, object), np.array(paths)[:, None]):
        data = check_reader(sequences, source, rows=3, labelled=False)
        assert [item.name for item in data.inputs] == paths


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (
            (30, 20, 3),
            r"Got an array of shape \(30, 20, 3\), which looks like one image\. .* give a list of it: \[array\]",
        ),
        ((5, 7), r"Got an array of shape \(5, 7\)\. Images are an array \(n, height, width\[, channels\]\)\."),
        ((1, 2, 3, 4, 5), r"Got an array of shape \(1, 2, 3, 4, 5\)\."),
    ],
)
def test_arrays_that_are_no_list_of_images_are_told(shape, text):
    """One image, a matrix of features, too many axes."""
    with pytest.raises(DataError, match=text):
        read(np.zeros(shape))


def test_an_empty_list_is_an_empty_data_set():
    """Predicting nothing gives nothing."""
    assert len(read([])) == 0
    assert len(read([], y=[], labelled=True).targets["label"]) == 0


@pytest.mark.parametrize(
    ("y", "wanted"),
    [
        (["01", "1", "x"], ["01", "1", "x"]),
        (np.array([3, 1, 3]), [3, 1, 3]),
        ([True, False, True], [True, False, True]),
        ([1, "b", True], ["1", "b", "True"]),
        (pd.Series(["a", "b", "a"], index=[7, 8, 9]), ["a", "b", "a"]),
        (pl.Series(["a", "b", "a"]), ["a", "b", "a"]),
        (pd.Series(["a", "b", "a"], dtype="category"), ["a", "b", "a"]),
        (np.array([["a"], ["b"], ["a"]]), ["a", "b", "a"]),
        (torch.tensor([0, 1, 0]), [0, 1, 0]),
        (np.array([0.5, 1.0, 2.0]), [0.5, 1.0, 2.0]),
        ([1, 2.5, 3], [1.0, 2.5, 3.0]),
    ],
)
def test_targets_beside_the_data(paths, y, wanted):
    """Texts, whole numbers and truth values are classes and stay what they are; mixed ones become texts."""
    found = read(paths, y=y).targets["label"].tolist()
    assert found == wanted
    assert [type(label) for label in found] == [type(label) for label in wanted]


def test_missing_targets_are_set_aside(paths):
    """None, NaN and NA are no label."""
    for y in ([None, "a", "b"], [float("nan"), 1.5, 2.5], pd.Series([pd.NA, "a", "b"]), ["", "a", "b"]):
        data = check_reader(sequences, paths, options=ReadOptions(y=y), rows=3)
        assert [(bad.row, bad.reason) for bad in data.bad] == [(0, "no label")]


def test_several_targets_come_as_a_mapping_or_a_frame(paths):
    """Each under its name; a row that lacks one is set aside with the name."""
    wanted = {"colour": ["red", "red", "blue"], "size": [1.5, None, 2.5]}
    for y in (wanted, pd.DataFrame(wanted), pl.DataFrame(wanted)):
        data = read(paths, y=y)
        assert data.targets["colour"].tolist() == ["red", "blue"]
        assert data.targets["size"].tolist() == [1.5, 2.5]
        assert [bad.reason for bad in data.bad] == ["no label in 'size'"]


def test_wrong_targets_are_told(paths):
    """A length that does not fit, a matrix, a single word, none where they are required."""
    with pytest.raises(
        DataError, match=r"Got 2 values of 'label' for 3 rows of the list of 3\. One value for each row"
    ):
        read(paths, y=["a", "b"])
    with pytest.raises(DataError, match=r"Got targets of shape \(3, 2\)\. .* Several targets come as a mapping"):
        read(paths, y=np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"Got 'abc' for targets\. One value for each row"):
        read(paths, y="abc")
    with pytest.raises(
        DataError, match=r"Got the list of 3 without labels\. One label for each row\. Give them as y\."
    ):
        read(paths, labelled=True)


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_are_tables(paths, kind):
    """Columns are guessed as in a file; rows count by position; paths start at the working folder."""
    columns = {"image": [*paths, "none.png"], "label": ["a", "b", None, "d"], "split": ["train", "val", "test", "test"]}
    data = check_reader(frames, FRAMES[kind](columns), rows=4)
    assert data.targets["label"].tolist() == ["a", "b"]
    assert data.splits.tolist() == ["train", "val"]
    assert [(bad.row, bad.reason) for bad in data.bad] == [(2, "no label"), (3, "no such file")]
    with pytest.raises(DataError, match=r"has no column 'lable'\. .* Did you mean 'label'\?"):
        read(FRAMES[kind](columns), target="lable")


def test_paths_in_frames_start_at_the_working_folder(paths, monkeypatch):
    """A frame has no folder of its own."""
    monkeypatch.chdir(Path(paths[0]).parent)
    data = read(pd.DataFrame({"path": ["0.png", Path("1.png")], "label": [1, 2]}, index=[5, 5]))
    assert [item.row for item in data.inputs] == [0, 1]
    assert data.targets["label"].tolist() == [1, 2]
    assert distance(load(data.inputs[1])[1], picture(seed=1)) == 0


def test_frames_may_hold_images(paths):
    """Objects in a column are items as in a list."""
    frame = pd.DataFrame({"image": [picture(), np.asarray(picture()), paths[0]], "label": ["a", "b", "c"]})
    data = check_reader(frames, frame, rows=3)
    assert [item.kind for item in data.inputs] == ["array", "array", "file"]
    assert all(distance(load(item)[1], picture()) == 0 for item in data.inputs)


def test_a_frame_with_two_columns_of_a_name_is_told(paths):
    """Which one is meant cannot be known."""
    with pytest.raises(DataError, match=r"The data frame has more than one column called path\. Rename them\."):
        read(pd.DataFrame([[paths[0], paths[1]]], columns=["path", "path"]))


def test_a_pil_image_that_was_not_read_yet_is_read_when_loaded(paths):
    """Reading a list opens nothing; a damaged image is set aside only when its turn comes."""
    broken = Path(paths[0]).with_name("broken.png")
    broken.write_bytes(Path(paths[0]).read_bytes()[:60])
    with Image.open(paths[0]) as first, Image.open(broken) as second:
        data = read([first, second])
        assert len(data) == 2
        assert load(data.inputs[0])[1].mode == "RGB"
        with pytest.raises(BadItemError, match="the image is truncated"):
            load(data.inputs[1])


def test_names_of_undecodable_bytes_can_be_shown(tmp_path):
    """A path with bytes that are no UTF-8 has a name that can be printed and stored."""
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    try:
        write_picture(path)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    data = check_reader(sequences, [path], rows=1, labelled=False)
    assert data.inputs[0].name.endswith("caf\\xe9.png")
    assert read([str(path), "none\udce9", "none\ud800"]).bad == (
        BadItem(1, "none\\xe9", "no such file"),
        BadItem(2, "none\\ud800", "no such file"),
    )


@pytest.mark.parametrize("kind", FRAMES)
def test_an_empty_frame_is_an_empty_data_set(kind):
    """Columns without rows: predicting nothing gives nothing."""
    data = read(FRAMES[kind]({"path": [], "label": []}))
    assert len(data) == len(data.targets["label"]) == 0
