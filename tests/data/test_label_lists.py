"""Several labels a row: lists in files and in Python come as lists in JSON, whatever held them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icecore.data import read
from tests.data.files import write_picture

ROWS = [["cat", "a;b"], [], ["dog"]]
AS_TEXT = ['["cat", "a;b"]', "[]", '["dog"]']


@pytest.fixture
def paths(tmp_path):
    """Three pictures."""
    for i in range(3):
        write_picture(tmp_path / f"{i}.png", seed=i)
    return [f"{i}.png" for i in range(3)]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_lists_in_tables(tmp_path, paths, form):
    """Of texts and of whole numbers; a row without any is no row without a label, null is."""
    numbers = [[1, 2], None, [3]]
    if form == "parquet":
        pq.write_table(pa.table({"path": paths, "tags": ROWS, "numbers": numbers}), tmp_path / "t.parquet")
    else:
        rows = zip(paths, ROWS, numbers, strict=True)
        lines = [json.dumps({"path": path, "tags": own, "numbers": also}) for path, own, also in rows]
        (tmp_path / "t.jsonl").write_text("\n".join(lines))
    data = read(tmp_path / f"t.{form}", target="tags")
    assert data.targets["tags"].tolist() == AS_TEXT
    data = read(tmp_path / f"t.{form}", target="numbers")
    assert data.targets["numbers"].tolist() == ["[1, 2]", "[3]"]
    assert [(bad.row, bad.reason) for bad in data.bad] == [(1, "no label")]


@pytest.mark.parametrize("kind", [list, tuple, set, np.array])
def test_lists_in_python(tmp_path, paths, kind):
    """Lists, tuples and arrays in their order, sets sorted."""
    files = [tmp_path / path for path in paths]
    data = read(files, y=[kind(own) for own in ROWS])
    expected = ['["a;b", "cat"]', *AS_TEXT[1:]] if kind is set else AS_TEXT
    assert data.targets["label"].tolist() == expected
