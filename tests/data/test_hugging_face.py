"""Hugging Face data sets: objects of the library `datasets`, and the folders that it saves."""

import json
import subprocess
import sys
import warnings

import datasets
import numpy as np
import pyarrow as pa
import pytest

from icecore import keys
from icecore.data import TEXT, ReadOptions, load, read, row_key
from icecore.data.hugging_face import reader
from icecore.errors import DataError
from icecore.testing.readers import check_reader
from tests.data.files import encoded, picture, write_picture

datasets.disable_progress_bars()
NAMES = datasets.ClassLabel(names=["cat", "dog"])


def photos(n=4, **features):
    """Pictures whose bytes are in the table, labelled by class numbers."""
    columns = {"image": [{"bytes": encoded(picture(seed=i)), "path": None} for i in range(n)]}
    columns["label"] = [i % 2 for i in range(n)]
    return datasets.Dataset.from_dict(
        columns, features=datasets.Features({"image": datasets.Image(), "label": NAMES} | features)
    )


def save(data, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library leaves its own files to the collector
        data.save_to_disk(folder)
    return folder


@pytest.fixture(params=["in memory", "saved"])
def door(request, tmp_path):
    """The two ways to hand a data set over."""
    return (lambda data: data) if request.param == "in memory" else (lambda data: save(data, tmp_path / "saved"))


def test_images_with_class_names(door):
    """The image column by its kind, and class numbers as the names that they stand for."""
    data = check_reader(reader, door(photos()), rows=4)
    assert data.targets["label"].tolist() == ["cat", "dog", "cat", "dog"]
    assert row_key(data.inputs[2]) == keys.row_of_bytes(encoded(picture(seed=2)))
    assert load(data.inputs[2])[1].tobytes() == picture(seed=2).tobytes()


def test_lists_of_classes_are_read_by_their_names(door):
    """Several labels a row, as lists of class numbers or of texts, come as lists in JSON."""
    data = photos(3).add_column("tags", [[0, 1], [], [1]]).add_column("words", [["a;b"], ["c"], []])
    data = data.cast_column("tags", datasets.List(NAMES))
    found = read(door(data), target=["tags", "words"])
    assert found.targets["tags"].tolist() == ['["cat", "dog"]', "[]", '["dog"]']
    assert found.targets["words"].tolist() == ['["a;b"]', '["c"]', "[]"]


def test_the_column_of_images_may_have_any_name(door):
    """A column of images is known by its kind; two of them must be told apart."""
    one = photos().rename_column("image", "what the camera saw")
    data = read(door(one))
    assert data.notes == ("Took 'what the camera saw' for the input column.", "Took 'label' for the target.")
    two = datasets.concatenate_datasets([one, photos().rename_columns({"image": "other", "label": "class"})], axis=1)
    with pytest.raises(DataError, match=r"not clear which column .* is the input"):
        read(two)
    assert len(read(two, input_col="other", target="class")) == 4


def test_a_choice_of_rows_is_followed(door):
    """What shuffle, select and filter leave, in their order, images and labels alike."""
    data = check_reader(reader, door(photos().select([3, 0, 2])), rows=3)
    assert [row_key(i) for i in data.inputs] == [keys.row_of_bytes(encoded(picture(seed=i))) for i in (3, 0, 2)]
    assert data.targets["label"].tolist() == ["dog", "cat", "cat"]


def test_splits_are_honoured(door):
    """The splits of a `DatasetDict`; one that is none of the known is left out and said, or read to be predicted."""
    parts = datasets.DatasetDict(
        {"train": photos(4), "unsupervised": photos(3), "validation": photos(2).select([1]), "test": photos(2)}
    )
    source = door(parts)
    data = check_reader(reader, source, rows=7)
    assert data.splits.tolist() == ["train"] * 4 + ["val"] + ["test"] * 2
    assert data.targets["label"].tolist() == ["cat", "dog", "cat", "dog", "dog", "cat", "dog"]
    assert "Left out 'unsupervised' (3 rows): not train, validation or test." in data.notes
    assert len(read(source, labelled=False)) == 10


def test_missing_values_are_set_aside(door):
    """Class number -1, which stands for none, and a row without an image."""
    columns = {"image": [{"bytes": b"x", "path": None}, None, {"bytes": b"y", "path": None}], "label": [-1, 0, 1]}
    features = datasets.Features({"image": datasets.Image(), "label": NAMES})
    data = check_reader(reader, door(datasets.Dataset.from_dict(columns, features=features)), rows=3)
    assert [(bad.row, bad.reason) for bad in data.bad] == [(0, "no label"), (1, "no input")]


def test_images_by_path(tmp_path):
    """A table may hold the paths of its images instead of their bytes: then they are files."""
    files = [str(write_picture(tmp_path / f"{i}.png", seed=i)) for i in range(2)]
    source = datasets.Dataset.from_dict({"image": [*files, str(tmp_path / "none.png")], "label": ["a", "b", "c"]})
    data = check_reader(reader, source.cast_column("image", datasets.Image()), rows=3)
    assert [item.kind for item in data.inputs] == ["file", "file"]
    assert row_key(data.inputs[1]) == keys.row_of_file(files[1])
    assert [bad.reason for bad in data.bad] == ["no such file"]


def test_texts(door):
    """A modality of texts finds its column, keyed as texts."""
    source = datasets.Dataset.from_dict({"text": ["one two", "", "three"], "label": [0.5, 1.0, 2.0]})
    data = check_reader(reader, door(source), options=ReadOptions(modality=TEXT), rows=3)
    assert load(data.inputs[1], "text") == (keys.row_of_text("three"), "three")
    assert data.targets["label"].tolist() == [0.5, 2.0]


def test_a_streamed_data_set_is_refused():
    """Its rows cannot be asked for again."""
    with pytest.raises(DataError, match=r"IterableDataset, which is streamed .* Load it without streaming=True"):
        read(photos().to_iterable_dataset())


def test_a_saved_folder_is_mapped_and_needs_no_library(tmp_path):
    """Arrow memory does not grow with the content, and `datasets` is not imported."""
    big = datasets.Dataset.from_dict({"image": [bytes([i]) * 1_000_000 for i in range(20)], "label": ["a"] * 20})
    folder = save(big, tmp_path / "saved")
    code = (
        "import sys, pyarrow as pa; from icecore.data import read, row_key; from pathlib import Path;"
        "data = read(sys.argv[1]); keys = {row_key(i) for i in data.inputs};"
        "print(len(keys), pa.total_allocated_bytes() < 1_000_000, 'datasets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["20", "True", "False"]


def test_a_damaged_folder_is_one_sentence(tmp_path):
    """A part that is cut off, one that is gone, and a state that is no JSON."""
    folder = save(photos(), tmp_path / "saved")
    part = next(folder.glob("*.arrow"))
    raw = part.read_bytes()
    part.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"The data set saved in .* cannot be read: .* Save it again\."):
        read(folder)
    part.unlink()
    with pytest.raises(DataError, match=r"cannot be read: .*No such file"):
        read(folder)
    (folder / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read(folder)


def test_a_choice_saved_by_an_old_version_is_refused(tmp_path):
    """Its rows are in a file of their own: to read the table without it would give other rows."""
    folder = save(photos(), tmp_path / "saved")
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"_indices_data_files": [{"filename": "indices.arrow"}]}))
    with pytest.raises(DataError, match="an old version of datasets"):
        read(folder)


def test_bytes_of_an_arrow_table_are_not_copied():
    """A column of file contents is handed on as views of Arrow's memory."""
    table = pa.table({"image": [b"abc", None, b""], "label": ["x", "y", "z"]})
    data = read(table)
    assert [(type(i.value), bytes(i.value)) for i in data.inputs] == [(memoryview, b"abc"), (memoryview, b"")]
    assert np.frombuffer(data.inputs[0].value, np.uint8).flags.owndata is False
