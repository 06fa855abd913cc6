"""Tables as people write them: any of four formats, quoted, separated and encoded in their own ways."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icecore.data import load, read
from icecore.data.tables import reader
from icecore.errors import DataError
from icecore.testing.readers import check_reader
from tests.data.files import encoded, picture, write_picture

FORMATS = ["csv", "tsv", "parquet", "jsonl", "ndjson"]


def write_table(path, rows, names=("path", "label")):
    """Rows of text in the format that the extension names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)
    elif path.suffix in (".jsonl", ".ndjson"):
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows), "utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([names, *rows])
    return path


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("a.png", "sub/b.png", "c d.png")):
        write_picture(tmp_path / "images" / name, seed)
    return tmp_path / "images"


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same(folder, form):
    """Paths are relative to the table's own folder, absolute ones work, labels stay the text that they are."""
    rows = [("a.png", "01"), (str(folder / "sub" / "b.png"), "1"), ("c d.png", "1.0")]
    data = check_reader(reader, write_table(folder / f"t.{form}", rows), rows=3)
    assert data.targets["label"].tolist() == ["01", "1", "1.0"]
    assert [item.value for item in data.inputs] == [folder / "a.png", folder / "sub" / "b.png", folder / "c d.png"]
    assert [item.name for item in data.inputs] == [row[0] for row in rows]
    assert data.notes == ("Took 'path' for the input column and 'label' for the target.",)
    assert all(load(item)[1].mode == "RGB" for item in data.inputs)


@pytest.mark.parametrize("form", FORMATS)
def test_bad_rows_are_set_aside_and_shift_nothing(folder, form):
    """No input, no such file, a folder, no label: each with its row and reason."""
    rows = [
        ("", "x"),
        ("a.png", "x"),
        ("none.png", "x"),
        ("sub", "y"),
        ("sub/b.png", ""),
        ("c d.png", "z"),
        ("none", ""),
    ]
    data = check_reader(reader, write_table(folder / f"t.{form}", rows), rows=7)
    assert [(bad.row, bad.reason) for bad in data.bad] == [
        (0, "no input"),
        (2, "no such file"),
        (3, "a folder, not a file"),
        (4, "no label"),
        (6, "no such file"),
    ]
    assert [item.row for item in data.inputs] == [1, 5]
    assert data.targets["label"].tolist() == ["x", "z"]
    assert len(read(folder / f"t.{form}", labelled=False)) == 3


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_null_is_missing(folder, form):
    """A null path or label is set aside as an empty one is."""
    data = read(write_table(folder / f"t.{form}", [("a.png", None), (None, "x"), ("c d.png", "y")]))
    assert [(bad.row, bad.input, bad.reason) for bad in data.bad] == [
        (0, "a.png", "no label"),
        (1, "row 1", "no input"),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_split_column_is_the_split(folder, form):
    """`split` or `subset` with train, val and test in the usual spellings; a row without one is set aside."""
    rows = [("a.png", "x", "Training"), ("sub/b.png", "y", "dev"), ("c d.png", "x", "test"), ("a.png", "x", "")]
    data = read(write_table(folder / f"t.{form}", rows, ("file", "kind", "Split")))
    assert data.splits.tolist() == ["train", "val", "test"]
    assert data.targets.keys() == {"kind"}
    assert [(bad.row, bad.reason) for bad in data.bad] == [(3, "no split")]
    assert read(folder / f"t.{form}", labelled=False).splits is None


def test_a_column_called_split_that_is_none_is_left_alone(folder):
    """Other values than train, val and test are named, and the column is an ordinary one."""
    data = read(write_table(folder / "t.csv", [("a.png", "x", "fold1")], ("path", "label", "split")))
    assert data.splits is None
    assert data.notes[-1] == "The column 'split' holds 'fold1': not used as the split, which is train, val or test."


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_other_separators_are_seen(folder, separator):
    """Semicolons, as spreadsheets write them, tabs and bars; commas within values do not confuse."""
    text = separator.join(["path", "label"]) + "\n" + separator.join(["a.png", '"x, y; z"']) + "\n"
    (folder / "t.csv").write_text(text)
    data = read(folder / "t.csv")
    assert data.targets["label"].tolist() == ["x, y; z"]
    said = {";": "semicolons", "\t": "tabs", "|": "bars"}.get(separator)
    assert (f"Values in t.csv are separated by {said}." in data.notes) == (said is not None)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(folder, end):
    """Unix, Windows, and old spreadsheets."""
    (folder / "t.csv").write_bytes(end.join(["path,label", "a.png,x", "c d.png,y", ""]).encode())
    assert read(folder / "t.csv").targets["label"].tolist() == ["x", "y"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_read(folder, encoding):
    """UTF-8 with and without a byte order mark, and UTF-16 with one."""
    write_picture(folder / "ü.png")
    (folder / "t.csv").write_text("path,label\nü.png,größe\n", encoding)
    data = read(folder / "t.csv")
    assert data.targets["label"].tolist() == ["größe"]
    assert data.inputs[0].name == "ü.png"


def test_another_encoding_is_an_error_that_says_what_to_do(folder):
    """Latin-1 cannot be told from others: it is not guessed."""
    (folder / "t.csv").write_bytes("path,label\na.png,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv is not UTF-8\. Save it as UTF-8; spreadsheets call it 'CSV UTF-8'\."):
        read(folder / "t.csv")


def test_lines_with_too_many_or_too_few_values_are_set_aside(folder):
    """They keep their row, so the rows below keep theirs; empty lines are no rows."""
    (folder / "t.csv").write_text('path,label\na.png,x\nb.png,x,y\n\nonly\nc d.png,"z\nz"\n')
    data = check_reader(reader, folder / "t.csv", rows=4)
    assert [(bad.row, bad.reason) for bad in data.bad] == [
        (1, "3 values in the line, where 2 are expected"),
        (2, "1 values in the line, where 2 are expected"),
    ]
    assert [(item.row, item.name) for item in data.inputs] == [(0, "a.png"), (3, "c d.png")]
    assert data.targets["label"].tolist() == ["x", "z\nz"]


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize("form", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(labels=st.lists(names.filter(lambda name: not name.isspace()), min_size=1, max_size=8))
def test_any_label_survives_a_round_trip(tmp_path, form, labels):
    """Quotes, separators, new lines, white space and any Unicode in labels come back as they were written."""
    write_picture(tmp_path / "a.png")
    data = read(write_table(tmp_path / f"t.{form}", [("a.png", label) for label in labels]))
    assert data.targets["label"].tolist() == labels


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=st.lists(st.tuples(names, names), min_size=1, max_size=6))
def test_any_name_and_label_keep_their_rows(tmp_path, rows):
    """Whatever the cells of a CSV hold, every row is there, as an item or with a reason."""
    write_picture(tmp_path / "a.png")
    data = read(write_table(tmp_path / "t.csv", [("a.png", "x"), *rows]))
    assert sorted([item.row for item in data.inputs] + [bad.row for bad in data.bad]) == list(range(len(rows) + 1))


@pytest.mark.parametrize("form", FORMATS)
def test_words_for_nothing_are_labels(tmp_path, form):
    """Only what is blank is missing: beside words `NA`, `null` and `nan` are words like others."""
    write_picture(tmp_path / "a.png")
    words = ["NA", "N/A", "null", "nan", "None", "true", "1e5", "2020-01-01"]
    data = read(write_table(tmp_path / f"t.{form}", [("a.png", word) for word in words]))
    assert data.targets["label"].tolist() == words


def test_typed_columns_become_classes_or_numbers(folder):
    """Parquet and JSON: whole numbers, booleans, dictionaries and dates are classes; fractional numbers are numbers."""
    paths = ["a.png", "sub/b.png", "c d.png"]
    columns = {
        "path": pa.array(paths).dictionary_encode(),
        "whole": pa.array([1, 2, 1]),
        "sure": pa.array([True, False, True]),
        "price": pa.array([1.5, 2.0, None]),
        "word": pa.array(["x", "y", "x"]).dictionary_encode(),
        "long": pa.array(["x", "y", "x"], pa.large_string()),
        "cost": pa.array([1, 2, 3]).cast(pa.decimal128(22, 2)),
    }
    pq.write_table(pa.table(columns), folder / "t.parquet")
    wanted = {"whole": ["1", "2"], "sure": ["True", "False"], "word": ["x", "y"], "long": ["x", "y"]}
    data = read(folder / "t.parquet", target=[*wanted, "price", "cost"])
    assert {name: data.targets[name].tolist() for name in wanted} == wanted
    assert data.targets["price"].tolist() == [1.5, 2.0]
    assert data.targets["cost"].dtype == np.float64
    assert [(bad.row, bad.reason) for bad in data.bad] == [(2, "no label in 'price'")]
    lines = [
        {"path": p, "whole": i, "price": v, "sure": True}
        for i, (p, v) in enumerate(zip(paths, (1.5, 2, 3), strict=True))
    ]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = read(folder / "t.jsonl", target=["whole", "price", "sure"])
    assert data.targets["whole"].tolist() == ["0", "1", "2"]
    assert data.targets["price"].tolist() == [1.5, 2.0, 3.0]
    assert data.targets["sure"].tolist() == ["True"] * 3


def test_file_contents_in_parquet_are_items(tmp_path):
    """Binary columns, and records of bytes and path as public data sets keep them, are read without a file."""
    raws = [encoded(picture(seed=seed)) for seed in range(2)]
    plain = pa.table({"image": pa.array(raws), "label": ["x", "y"]})
    record = pa.table({"image": pa.array([{"bytes": raw, "path": "a.png"} for raw in raws]), "label": ["x", "y"]})
    for name, table in {"plain": plain, "record": record}.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
        data = check_reader(reader, tmp_path / f"{name}.parquet", rows=2)
        assert [item.kind for item in data.inputs] == ["bytes", "bytes"]
        assert [np.asarray(load(item)[1]).sum() for item in data.inputs] == [
            np.asarray(picture(seed=seed)).sum() for seed in range(2)
        ]


@pytest.mark.parametrize("name", ["path", "FILE", "filename", "file_name", "filepath", "image", "image_path", "img"])
def test_usual_names_of_the_input_are_known(folder, name):
    """In any case of letters."""
    data = read(write_table(folder / "t.csv", [("7", "a.png", "x")], ("number", name, "label")))
    assert data.inputs[0].name == "a.png"


@pytest.mark.parametrize("name", ["label", "Class", "target", "category", "species", "y"])
def test_usual_names_of_the_target_are_known(folder, name):
    """Among other columns."""
    data = read(write_table(folder / "t.csv", [("7", "a.png", "x")], ("number", "path", name)))
    assert data.targets[name].tolist() == ["x"]


def test_columns_are_found_by_their_values(folder):
    """The input is the first column that holds files, the target the only other one."""
    data = read(write_table(folder / "t.csv", [("x", ""), ("y", "a.png"), ("x", "c d.png")], ("what", "where")))
    assert [item.name for item in data.inputs] == ["a.png", "c d.png"]
    assert data.targets["what"].tolist() == ["y", "x"]
    assert data.notes == ("Took 'where' for the input column and 'what' for the target.",)


def test_named_columns_are_taken(folder):
    """--input-col and --target win over every guess; several targets may be asked for."""
    rows = [("none", "a.png", "x", "1"), ("none", "c d.png", "y", "2")]
    path = write_table(folder / "t.csv", rows, ("path", "mine", "label", "other"))
    data = read(path, input_col="mine", target=["other", "label"])
    assert {name: values.tolist() for name, values in data.targets.items()} == {
        "other": ["1", "2"],
        "label": ["x", "y"],
    }
    assert data.notes == ()
    assert read(path, input_col="mine", target="other").targets.keys() == {"other"}


def test_columns_that_are_not_there_are_told_with_near_names(folder):
    """A slip of the pen shows what there is and what was meant."""
    path = write_table(folder / "t.csv", [("a.png", "x", "1")], ("path", "colour", "shape"))
    with pytest.raises(DataError) as caught:
        read(path, target="color")
    assert str(caught.value) == (
        f"{path} has no column 'color'. Its columns are 'path', 'colour', 'shape'. Did you mean 'colour'?"
    )
    with pytest.raises(DataError, match=r"has no column 'paht'\. .* Did you mean 'path'\?"):
        read(path, input_col="paht")
    with pytest.raises(DataError, match=r"It is not clear which column of .* is the target\. .*Name one with --target"):
        read(path, labelled=True)
    assert read(path).targets == {}
    other = write_table(folder / "u.csv", [("7", "x")], ("number", "label"))
    with pytest.raises(
        DataError, match=r"It is not clear which column of .* is the input\. .*Name one with --input-col"
    ):
        read(other)


def test_a_table_without_a_header_is_seen(folder):
    """Where the column names are files, the line of names is missing."""
    (folder / "t.csv").write_text("a.png,x\nc d.png,y\n")
    with pytest.raises(
        DataError, match=r"looks like data: 'a\.png', 'x'\. .* Add a line such as path,label at the top\."
    ):
        read(folder / "t.csv")


def test_paths_that_lead_nowhere_at_all_are_one_error(folder):
    """When no file exists the folder is wrong, not each row; the error says where it was looked for."""
    path = write_table(folder / "t.csv", [("x/a.png", "x"), ("x/b.png", "y")])
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"None of the 2 files of {path} exists. Paths are relative to {folder}; the first is 'x/a.png'. Check the "
        "paths, and the slashes in them; absolute paths work too."
    )


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.csv", b"", r"t\.csv is empty\. Column names in the first line"),
        ("t.csv", b"path,label\n", r"t\.csv has no rows\."),
        ("t.csv", b"path,path\na.png,x\n", r"t\.csv has more than one column called 'path'\."),
        ("t.jsonl", b"", r"t\.jsonl has no columns\."),
        ("t.jsonl", b'{"path": "a.png"}\n{"path": \n', r"Line 2 of .*t\.jsonl is not JSON: Expecting value"),
        ("t.jsonl", b"[1, 2]\n", r"Line 1 of .*t\.jsonl holds list, not an object\. One JSON object a line\."),
        ("t.parquet", b"PAR1 nothing", r"t\.parquet is not a readable parquet file: .*\. Write it again\."),
        ("t.parquet", b"", r"t\.parquet is not a readable parquet file: .*\. Write it again\."),
    ],
)
def test_damaged_tables_are_told(folder, name, content, text):
    """Each says which file and what is wrong with it."""
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=text):
        read(folder / name)


def test_lines_of_json_may_have_different_keys(folder):
    """What a line does not have is missing; nested values are text; white lines are no rows."""
    lines = [
        '{"path": "a.png"}',
        "",
        '{"label": {"a": [1]}, "path": "c d.png"}',
        '{"path": "sub/b.png", "label": null}',
    ]
    (folder / "t.jsonl").write_text("\n".join(lines), "utf-8-sig")
    data = read(folder / "t.jsonl", target="label")
    assert data.targets["label"].tolist() == ['{"a": [1]}']
    assert [(bad.row, bad.reason) for bad in data.bad] == [(0, "no label"), (2, "no label")]


def test_many_lines_of_json_keep_their_order(tmp_path):
    """Longer than what is gathered at once, with a key that comes late."""
    write_picture(tmp_path / "a.png")
    lines = [{"path": "a.png", "label": str(i)} | ({"late": i} if i > 24_000 else {}) for i in range(25_000)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert read(tmp_path / "t.jsonl").targets["label"].tolist() == [str(i) for i in range(25_000)]
    late = read(tmp_path / "t.jsonl", target="late")
    assert late.targets["late"].tolist() == [str(i) for i in range(24_001, 25_000)]
    assert (late.inputs[0].row, len(late.bad)) == (24_001, 24_001)


def test_a_table_in_a_folder_that_looks_like_a_partition(tmp_path):
    """`label=cat/` in a path adds no column."""
    write_picture(tmp_path / "label=cat" / "a.png")
    data = read(write_table(tmp_path / "label=cat" / "t.parquet", [("a.png", "dog")]))
    assert data.targets["label"].tolist() == ["dog"]


def test_labels_given_beside_a_table_win(folder):
    """`y` takes the place of the columns."""
    path = write_table(folder / "t.csv", [("a.png", "x"), ("c d.png", "y")])
    assert read(path, y=["p", "q"], labelled=True).targets["label"].tolist() == ["p", "q"]


def test_a_large_value_is_read(folder):
    """A cell of several megabytes."""
    write_table(folder / "t.csv", [("a.png", "x" * 5_000_000)])
    assert len(read(folder / "t.csv").targets["label"][0]) == 5_000_000


def test_a_large_table_is_read_quickly_and_compactly(tmp_path):
    """200,000 rows are read in seconds; equal labels share one object."""
    write_picture(tmp_path / "a.png")
    text = io.StringIO()
    csv.writer(text).writerows([("path", "label"), *(("a.png", f"class {i % 7}") for i in range(200_000))])
    Path(tmp_path / "t.csv").write_text(text.getvalue())
    data = read(tmp_path / "t.csv")
    assert len(data) == 200_000
    assert len({id(label) for label in data.targets["label"]}) == 7
    assert data.inputs[199_999].row == 199_999
