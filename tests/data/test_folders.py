"""Folders of class folders, with splits or without, as people have them."""

import os

import numpy as np
import pytest

from icecore.data import load, read
from icecore.data.folders import reader
from icecore.errors import BadItemError, DataError
from icecore.testing.readers import check_reader
from tests.data.files import write_picture


def grow(root, *names):
    for seed, name in enumerate(names):
        write_picture(root / name, seed)
    return root


def names(data):
    return [item.name for item in data.inputs]


def test_class_folders_are_classes(tmp_path):
    """First-level folders are the classes; images in deeper folders belong to them; order is by path."""
    grow(tmp_path, "dog/2.png", "cat/1.JPG", "cat/deep/er/3.png", "dog/10.webp", "a-b/1.png", "a/1.png")
    data = check_reader(reader, tmp_path, rows=6)
    assert names(data) == ["a/1.png", "a-b/1.png", "cat/1.JPG", "cat/deep/er/3.png", "dog/10.webp", "dog/2.png"]
    assert data.targets["label"].tolist() == ["a", "a-b", "cat", "cat", "dog", "dog"]
    assert [item.row for item in data.inputs] == list(range(6))
    assert data.splits is None
    assert data.notes == ()
    assert data.inputs[2].value == tmp_path / "cat" / "1.JPG"


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "valid", "testing"),
        ("TRAIN", "validation", "Test"),
        ("train", "dev", "test"),
    ],
)
def test_splits_around_the_classes_are_splits(tmp_path, train, val, test):
    """train/val/test and what people write for them."""
    grow(tmp_path, f"{train}/cat/1.png", f"{train}/dog/2.png", f"{val}/cat/3.png", f"{test}/dog/x/4.png")
    data = check_reader(reader, tmp_path, rows=4)
    found = {name.split("/", 1)[1]: (split, label) for name, split, label in zip(
        names(data), data.splits, data.targets["label"], strict=True)}  # fmt: skip
    assert found == {
        "cat/1.png": ("train", "cat"),
        "dog/2.png": ("train", "dog"),
        "cat/3.png": ("val", "cat"),
        "dog/x/4.png": ("test", "dog"),
    }


def test_a_class_may_be_called_train(tmp_path):
    """Where not every folder is a split, none is: a set of vehicles has a class of trains; that is said."""
    grow(tmp_path, "train/1.png", "plane/2.png")
    data = read(tmp_path)
    assert set(data.targets["label"]) == {"train", "plane"}
    assert data.notes == ("Took train for a class, because not every folder beside it is a split.",)


def test_images_without_class_folders_are_unlabelled(tmp_path):
    """A folder with images only has no targets; with labels required it is an error that says what to do."""
    grow(tmp_path, "1.png", "2.png")
    data = check_reader(reader, tmp_path, rows=2, labelled=False)
    assert data.targets == {}
    with pytest.raises(DataError) as caught:
        read(tmp_path, labelled=True)
    assert str(caught.value) == (
        f"The folder {tmp_path} holds images but no class folders, so nothing is labelled. One folder for each class, "
        "with or without train/, val/ and test/ around them. Sort the files into class folders, or give a table with a "
        "column of labels."
    )


def test_unlabelled_splits_keep_their_splits(tmp_path):
    """train/ and test/ with images directly in them are splits without labels."""
    data = read(grow(tmp_path, "train/1.png", "test/2.png"))
    assert data.targets == {}
    assert data.splits.tolist() == ["test", "train"]


def test_an_image_beside_the_class_folders_has_no_label(tmp_path):
    """It is set aside with its row when labels matter, and is an item when they do not."""
    grow(tmp_path, "cat/1.png", "cover.png", "dog/2.png")
    data = check_reader(reader, tmp_path, rows=3)
    assert [(bad.row, bad.input, bad.reason) for bad in data.bad] == [(1, "cover.png", "no label")]
    assert [item.row for item in data.inputs] == [0, 2]
    assert names(read(tmp_path, labelled=False)) == ["cat/1.png", "cover.png", "dog/2.png"]


def test_an_image_beside_the_splits_has_no_split(tmp_path):
    """It is set aside for training, and no reason to leave it out of a prediction."""
    grow(tmp_path, "train/cat/1.png", "test/cat/2.png", "cover.png")
    assert [(bad.input, bad.reason) for bad in read(tmp_path).bad] == [("cover.png", "no label")]
    wanted = read(tmp_path, labelled=False)
    assert len(wanted) == 3
    assert wanted.splits is None


def test_other_files_are_ignored_and_counted(tmp_path):
    """Hidden files and files that are not images are named in the notes; a fake image is not ignored."""
    grow(tmp_path, "cat/1.png", ".hidden/2.png", "cat/.3.png", "__MACOSX/cat/._1.png")
    for name in ("cat/readme.txt", "notes.txt", "list.csv", "Makefile", "cat/Thumbs.db"):
        (tmp_path / name).write_text("x")
    (tmp_path / "cat" / "text.jpg").write_text("not a picture")
    (tmp_path / "empty").mkdir()
    data = read(tmp_path)
    assert names(data) == ["cat/1.png", "cat/text.jpg"]
    assert data.notes == (
        "Ignored 4 files that are not images: 2 .txt, 1 without extension, 1 .csv.",
        "Ignored 4 hidden entries.",
        "No images in the folder empty.",
    )
    with pytest.raises(BadItemError, match="not an image: starts with b'not a picture'"):
        load(data.inputs[1])


def test_links_are_followed_and_loops_survived(tmp_path):
    """Linked folders and files count; a link back to a folder around it is passed over and named."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    grow(elsewhere, "1.png", "more/2.png")
    grow(root, "cat/3.png")
    (root / "dog").symlink_to(elsewhere)
    (root / "cat" / "4.png").symlink_to(elsewhere / "1.png")
    (root / "cat" / "loop").symlink_to(root)
    (root / "cat" / "itself").symlink_to(root / "cat" / "itself")
    (root / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    data = check_reader(reader, root, rows=5)
    assert names(data) == ["cat/3.png", "cat/4.png", "dog/1.png", "dog/more/2.png"]
    assert [(bad.input, bad.reason) for bad in data.bad] == [("cat/gone.png", "a link to nothing")]
    assert "Did not follow cat/loop, which leads back to a folder around it." in data.notes


def test_a_pipe_named_like_an_image_does_not_block(tmp_path):
    """What is no regular file is set aside without being opened."""
    grow(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    assert [bad.reason for bad in read(tmp_path).bad] == ["not a regular file"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    """One below is passed over and said; the folder itself is an error."""
    grow(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "dog").chmod(0)
    try:
        if os.access(tmp_path / "dog", os.R_OK):
            pytest.skip("this user may read everything")
        assert "Could not read dog." in read(tmp_path).notes
        with pytest.raises(DataError, match=r"The folder .*dog cannot be read: Permission denied\."):
            read(tmp_path / "dog")
    finally:
        (tmp_path / "dog").chmod(0o700)


def test_very_deep_folders_are_read(tmp_path):
    """Depth is limited by the file system, not by Python."""
    deep = tmp_path / "cat"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(600):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    write_picture(tmp_path / "cat" / "1.png")
    assert len(read(tmp_path)) == 1


def test_a_folder_without_images_is_an_error(tmp_path):
    """It says what there was instead."""
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (f"The folder {tmp_path} holds no images. Ignored 1 file that is not images: 1 .txt.")


def test_one_file_is_one_item(tmp_path):
    """A single image is unlabelled data of one row; with labels required it is an error."""
    path = write_picture(tmp_path / "photo.JPG")
    data = check_reader(reader, str(path), rows=1, labelled=False)
    assert data.inputs[0].value == path
    with pytest.raises(DataError, match=r"is a single file, without a label\. A folder with one folder for each class"):
        read(path, labelled=True)
    assert read(path, y=["cat"], labelled=True).targets["label"].tolist() == ["cat"]


def test_what_is_not_there_is_said(tmp_path):
    """A missing path, and a file of an unknown kind."""
    with pytest.raises(DataError, match=r"There is no file or folder .*nowhere\. Check the path\."):
        read(tmp_path / "nowhere")
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    with pytest.raises(
        DataError, match=r"data\.xlsx is neither a table nor a file of a known kind\. Tables end in \.csv"
    ):
        read(tmp_path / "data.xlsx")
    with pytest.raises(DataError, match=r"Got an empty path\."):
        read("")
    with pytest.raises(DataError, match=r"Got data of type int\. Data is a folder, a table, a media file"):
        read(3)


def test_labels_given_beside_a_folder_win(tmp_path):
    """`y` takes the place of class folders; its length must fit."""
    grow(tmp_path, "cat/1.png", "cat/2.png")
    assert read(tmp_path, y=["x", "y"]).targets["label"].tolist() == ["x", "y"]
    with pytest.raises(DataError, match=r"Got 3 values of 'label' for 2 rows of .*\. One value for each row"):
        read(tmp_path, y=["x", "y", "z"])


def test_a_part_of_a_dataset_keeps_rows_together(tmp_path):
    """`take` by positions or by a mask keeps inputs, targets, splits and rows in step."""
    grow(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/cat/3.png")
    data = read(tmp_path)
    train = data.take(data.splits == "train")
    assert [item.row for item in train.inputs] == [1, 2]
    assert train.targets["label"].tolist() == ["cat", "dog"]
    back = train.take(np.array([1, 0]))
    assert (names(back), back.splits.tolist()) == (["train/dog/2.png", "train/cat/1.png"], ["train", "train"])
    assert data.inputs[-1].row == 2
    assert [item.row for item in data.inputs[1:]] == [1, 2]
    assert read(data) is data


def test_real_class_folders(assets):
    """TrashNet: 2,527 photographs in six class folders, in well under a second."""
    data = check_reader(reader, assets / "data" / "trashnet", rows=2527)
    assert sorted(set(data.targets["label"])) == ["cardboard", "glass", "metal", "paper", "plastic", "trash"]


def test_real_splits(assets):
    """CIFAR-10's sample: train and test, ten classes, a hundred a class each."""
    data = read(assets / "data" / "cifar10_sample")
    assert [np.count_nonzero(data.splits == split) for split in ("train", "val", "test")] == [1000, 0, 1000]
    assert len(set(data.targets["label"])) == 10
