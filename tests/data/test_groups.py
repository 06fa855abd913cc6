"""Rows that belong together: a column of a table, or given beside the data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from icecore.data import read
from icecore.errors import DataError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six pictures of three patients, one of them without a name of a patient, one picture missing."""
    for number in range(5):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    rows = [
        "path,label,patient",
        *(f"{n}.png,{'ab'[n % 2]},{who}" for n, who in enumerate(["x", "y", "x", "", "", "y"])),
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows), "utf-8")
    return tmp_path / "t.csv"


def test_a_column_groups_and_is_no_label(table):
    """Equal values are equal numbers, rows without one stand alone, and rows that are set aside shift nothing."""
    found = read(table, group="patient")
    assert found.groups.tolist() == [0, 1, 0, 2, 3]
    assert list(found.targets) == ["label"]
    assert found.take(np.array([2, 3])).groups.tolist() == [0, 2]
    assert read(table, target="label").groups is None


def test_every_kind_of_table_has_groups(table):
    """Data frames and JSON lines as well."""
    frame = pd.read_csv(table).assign(path=lambda t: [str(table.parent / name) for name in t.path])
    assert read(frame, group="patient").groups.tolist() == [0, 1, 0, 2, 3]
    lines = [{"path": f"{n}.png", "label": "ab"[n % 2], "session": n // 2} for n in range(4)]
    (table.parent / "t.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert read(table.parent / "t.jsonl", group="session").groups.tolist() == [0, 0, 1, 1]


def test_groups_beside_the_data(table):
    """A list or an array, one value a row; it wins over a column."""
    paths = [str(table.parent / f"{n}.png") for n in range(5)]
    assert read(paths, y=list("ababa"), groups=np.array([7, 7, 8, 8, 9])).groups.tolist() == [0, 0, 1, 1, 2]
    assert read(table, group="patient", groups=list("aabbcc")).groups.tolist() == [0, 0, 1, 1, 2]


def test_what_is_wrong_with_groups_is_told(table, tmp_path):
    """A column that is not there, with the nearest; a folder, which has none; another number of values."""
    with pytest.raises(DataError, match=r"has no column 'patients'.*Did you mean 'patient'"):
        read(table, group="patients")
    with pytest.raises(DataError, match=r"has no column 'patient' to group by.*Give a table, or in Python"):
        read([str(tmp_path / "0.png")], y=["a"], group="patient")
    with pytest.raises(DataError, match="Got 2 groups for 1 rows"):
        read([str(tmp_path / "0.png")], y=["a"], groups=[1, 2])


def test_what_is_only_predicted_needs_no_groups(table):
    """Without labels the column is not asked for."""
    assert read(table, labelled=False, group="none").groups is None
