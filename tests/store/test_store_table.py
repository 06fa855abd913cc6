"""Rows go in by key and come out by key, in the order asked."""

import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.feather
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icecore.errors import StoreError, UsageError
from icecore.store import Store, Table
from tests.store.rows import fill, parts_of, rows_of, values_of

FLOATS = st.floats(width=16, allow_nan=True)
KEYS = st.binary(min_size=32, max_size=32)


def test_rows_come_back_in_the_order_asked(table: Table):
    """A read gives the rows asked for, repeated ones too, whatever the order in which they were written."""
    rows = fill(table, range(5)) + fill(table, range(5, 9))
    asked = [rows[i] for i in (8, 0, 3, 3, 5, 1)]
    np.testing.assert_array_equal(table.read("last", asked), values_of(asked))
    assert table.read("last", asked).dtype == np.float32


def test_what_is_read_may_be_changed(table: Table):
    """Values read are a copy: changing them changes nothing stored."""
    rows = fill(table, range(3))
    table.read("last", rows)[:] = -1
    np.testing.assert_array_equal(table.read("last", rows), values_of(rows))


@given(st.dictionaries(KEYS, hnp.arrays(np.float16, 3, elements=FLOATS), min_size=1, max_size=20), st.data())
def test_any_rows_survive_the_round_trip(tmp_path_factory: pytest.TempPathFactory, values: dict, data: st.DataObject):
    """For any keys and values, split into any parts: what goes in comes out, bit for bit, and nothing else is there."""
    table = Store(tmp_path_factory.mktemp("store")).table("t", {})
    rows = list(values)
    cut = data.draw(st.integers(0, len(rows)))
    for piece in (rows[:cut], rows[cut:]):
        table.append(
            piece, {"c": np.array([values[r] for r in piece]).reshape(-1, 3).astype(np.float32)}, {"c": {}}, {}
        )
    asked = data.draw(st.lists(st.sampled_from(rows)))
    read = table.read("c", asked)
    want = np.array([values[row] for row in asked]).reshape(-1, 3).astype(np.float32)
    assert read.tobytes() == want.tobytes()
    others = data.draw(st.lists(KEYS))
    np.testing.assert_array_equal(table.missing(["c"], others), [row not in values for row in others])


@given(st.lists(st.tuples(st.binary(max_size=2), st.booleans()), min_size=1, max_size=30))
def test_keys_that_begin_alike_are_told_apart(tmp_path_factory: pytest.TempPathFactory, tails: list):
    """Keys in two parts that differ in their last bytes only are different rows; the first of equal ones is read."""
    table = Store(tmp_path_factory.mktemp("store")).table("t", {})
    rows = [bytes(8 if alike else 32 - len(tail)).ljust(32 - len(tail), b"\7") + tail for tail, alike in tails]
    values = np.arange(len(rows), dtype=np.float32)[:, None]
    for part in (slice(len(rows) // 2), slice(len(rows) // 2, None)):
        table.append(rows[part], {"c": values[part]}, {"c": {}}, {})
    assert table.read("c", rows)[:, 0].tolist() == [rows.index(row) for row in rows]
    assert table.missing(["c"], [b"\1" * 32]).tolist() == [True]


def test_float16_is_kept_as_it_is_and_read_as_float32(table: Table):
    """Half-precision values take half the room on disk and come back widened, exactly."""
    rows, values = rows_of(range(4)), np.float16([[0.1, 65504], [-0.0, 6e-8], [np.inf, 1], [2, 3]])
    table.append(rows, {"half": values}, {"half": {}}, {})
    read = table.read("half", rows)
    assert read.dtype == np.float32
    assert read.tobytes() == values.astype(np.float32).tobytes()
    assert pyarrow.feather.read_table(parts_of(table.folder)[0]).schema.field("half").type.value_type == "halffloat"


def test_rows_of_different_shapes_come_back_in_their_shapes(table: Table):
    """A list of arrays of any shapes, empty and scalar ones included, is read as such a list."""
    arrays = [np.ones((2, 3)), np.zeros((0, 4)), np.full((), 7.0), np.arange(24).reshape(2, 3, 4), np.ones((1, 3)).T]
    arrays = [array.astype(np.float16 if i % 2 else np.float32) for i, array in enumerate(arrays)]
    rows = rows_of(range(5))
    table.append(rows[:3], {"tokens": arrays[:3]}, {"tokens": {}}, {})
    table.append(rows[3:], {"tokens": arrays[3:]}, {"tokens": {}}, {})
    for row, want in zip(table.read("tokens", rows[::-1]), arrays[::-1], strict=True):
        assert row.shape == want.shape
        assert row.dtype == np.float32
        np.testing.assert_array_equal(row, want)


def test_a_column_may_have_pooled_and_ragged_parts(table: Table):
    """Where one part has rows of equal length and another has not, the answer is a list."""
    rows = rows_of(range(3))
    table.append(rows[:2], {"c": np.float32([[1, 2], [3, 4]])}, {"c": {}}, {})
    table.append(rows[2:], {"c": [np.float32([[5]])]}, {"c": {}}, {})
    assert [row.tolist() for row in table.read("c", rows)] == [[1, 2], [3, 4], [[5]]]


def test_no_rows_have_the_shape_of_the_others(table: Table):
    """Reading no rows gives (0, d), a list where shapes differ, and (0, 0) where nothing is known."""
    table.append(rows_of([0]), {"pooled": np.ones((1, 3), np.float32), "ragged": [np.ones(2, np.float32)]}, ABOUT, {})
    assert table.read("pooled", []).shape == (0, 3)
    assert table.read("ragged", []) == []
    assert table.read("never", []).shape == (0, 0)


ABOUT = {"pooled": {}, "ragged": {}}


def test_missing_tells_what_has_to_be_computed(table: Table):
    """A row is missing when any of the columns asked for lacks it."""
    fill(table, range(4), "a")
    fill(table, range(2, 6), "b")
    rows = rows_of(range(7))
    assert table.missing(["a"], rows).tolist() == [False] * 4 + [True] * 3
    assert table.missing(["a", "b"], rows).tolist() == [True, True, False, False, True, True, True]
    assert table.missing([], rows).tolist() == [False] * 7
    assert table.missing(["a"], []).shape == (0,)
    assert table.missing(["never"], rows).all()


def test_rows_that_are_not_there_are_an_error_that_counts_them(table: Table):
    """Reading what was never stored says how much is missing, of what, and what to do."""
    rows = fill(table, range(3))
    with pytest.raises(StoreError, match=r"2 of 5 rows asked for are not in column last of .*resnet. Extract the feat"):
        table.read("last", rows + rows_of([8, 9]))
    with pytest.raises(StoreError, match="1 of 1 rows asked for are not in column other"):
        table.read("other", rows[:1])


def test_the_first_part_wins(table: Table):
    """A row written twice, in one part or in several, is read once: as it was written first."""
    rows = rows_of([0, 1, 0])
    table.append(rows, {"c": np.float32([[0], [1], [2]])}, {"c": {}}, {})
    table.append(rows[:2], {"c": np.float32([[8], [9]])}, {"c": {}}, {})
    assert table.read("c", rows).tolist() == [[0], [1], [0]]
    reopened = Store(table.folder.parent).table("resnet", {})
    assert reopened.read("c", rows).tolist() == [[0], [1], [0]]
    assert reopened.missing(["c"], rows).tolist() == [False] * 3


def test_columns_say_what_they_are(table: Table):
    """What was said of each column at the append is kept with it, Unicode and nesting included."""
    about = {"a": {"layer": "größe", "shape": [3, 4]}, "b": {"pooling": None}}
    table.append(rows_of([1]), {"a": np.ones((1, 12), np.float32), "b": np.ones((1, 1), np.float32)}, about, {})
    assert table.columns() == about
    assert Store(table.folder.parent).table("resnet", {}).columns() == about


def test_a_table_that_was_never_written_is_empty(store: Store):
    """Asking changes nothing on disk: the folder is made at the first append."""
    table = store.table("never", {})
    assert table.columns() == {}
    assert table.missing(["a"], rows_of([1])).all()
    table.append([], {"a": np.empty((0, 2), np.float32)}, {"a": {}}, {})
    assert not store.root.exists()


def test_writers_are_told_apart(table: Table):
    """For rows written by different engines, the store says which wrote which."""
    first = fill(table, range(3), written_by={"engine": "eager"})
    second = fill(table, range(3, 5), written_by={"engine": "openvino"})
    fill(table, range(5, 6), written_by={"engine": "eager"})
    asked = [second[0], first[1], *rows_of([5, 99])]
    found = {by["engine"]: positions.tolist() for by, positions in table.writers("last", asked)}
    assert found == {"openvino": [0], "eager": [1, 2]}


def test_what_one_writer_left_in_a_column_can_be_set_aside(table: Table):
    """Values that a new engine cannot confirm go out of use; other columns and other writers' rows stay."""
    rows = rows_of(range(4))
    columns = {"a": values_of(rows), "b": values_of(rows)}
    table.append(rows, columns, {"a": {"n": 1}, "b": {"n": 2}}, {"engine": "old"})
    fill(table, range(4, 6), "a", {"engine": "new"})
    assert table.set_aside("a", {"engine": "old"}) == 4
    assert table.missing(["a"], rows_of(range(6))).tolist() == [True] * 4 + [False] * 2
    np.testing.assert_array_equal(table.read("b", rows), values_of(rows))
    assert table.columns() == {"a": {"layer": "a"}, "b": {"n": 2}}
    assert table.set_aside("a", {"engine": "new"}) == 2
    assert table.missing(["a"], rows_of(range(6))).all()


@pytest.mark.parametrize(
    ("rows", "columns", "about", "said"),
    [
        (
            [b"short"],
            {"a": np.ones((1, 1), np.float32)},
            {"a": {}},
            "a row key of 5 bytes. A row key is a digest of 32",
        ),
        (
            [bytes(32)],
            {"a": np.ones((1, 1))},
            {"a": {}},
            "values of dtype float64. The store holds float32 and float16",
        ),
        ([bytes(32)], {"a": [np.ones(1)]}, {"a": {}}, "values of dtype float64"),
        (
            [bytes(32)],
            {"a": np.ones((1, 2, 3), np.float32)},
            {"a": {}},
            r"shape \(1, 2, 3\) for one column. Rows of eq",
        ),
        ([bytes(32)], {"a": np.ones((2, 1), np.float32)}, {"a": {}}, "1 rows and 2 values for column 'a'"),
        ([bytes(32)], {"a": np.ones((1, 1), np.float32)}, {}, r"Nothing is said about the columns \['a'\]"),
        ([bytes(32)], {"row": np.ones((1, 1), np.float32)}, {"row": {}}, "At least one, none called 'row'"),
        ([bytes(32)], {}, {}, "At least one"),
    ],
)
def test_an_append_that_cannot_be_right_is_refused(table: Table, rows: list, columns: dict, about: dict, said: str):
    """Wrong keys, dtypes, shapes and counts are told apart, before anything is written."""
    with pytest.raises(UsageError, match=said):
        table.append(rows, columns, about, {})
    assert not table.folder.exists()


def test_a_column_with_rows_of_two_lengths_is_an_error(table: Table):
    """One key is one computation: pooled rows of different lengths under one key cannot be right."""
    rows = rows_of(range(2))
    table.append(rows[:1], {"c": np.ones((1, 2), np.float32)}, {"c": {}}, {})
    table.append(rows[1:], {"c": np.ones((1, 3), np.float32)}, {"c": {}}, {})
    with pytest.raises(StoreError, match=r"Column c has rows of 2 and of 3 values\. One key is one computation"):
        table.read("c", rows)


@pytest.mark.parametrize("key", ["", "..", ".hidden", "a/b", "a b", "ä"])
def test_a_table_key_names_a_folder(store: Store, key: str):
    """A key that could lead out of the store, or differ between systems, is refused."""
    with pytest.raises(UsageError, match="A table key names a folder"):
        store.table(key, {})


def test_other_libraries_read_parts(table: Table):
    """A part is a plain Arrow IPC file: Polars and pandas open it without icecore."""
    rows = rows_of(range(3))
    values = {"pooled": values_of(rows, 4), "ragged": [np.ones((i, 2), np.float32) for i in range(3)]}
    table.append(rows, values, ABOUT, {"engine": "eager"})
    (part,) = parts_of(table.folder)
    frame = pl.read_ipc(part)
    assert frame["row"].to_list() == rows
    np.testing.assert_array_equal(frame["pooled"].to_numpy(), values["pooled"])
    assert frame["ragged"].struct.field("shape").to_list() == [[0, 2], [1, 2], [2, 2]]
    pandas = pyarrow.feather.read_feather(part)
    assert pandas["row"].tolist() == rows
    np.testing.assert_array_equal(np.stack(pandas["pooled"]), values["pooled"])


def test_strided_arrays_are_stored_as_they_look(table: Table):
    """Transposed, sliced and Fortran-ordered arrays come back equal."""
    rows = rows_of(range(4))
    whole = np.arange(64, dtype=np.float32).reshape(8, 8)
    views = {"t": whole.T[:4], "s": whole[::2, ::3], "f": np.asfortranarray(whole[:4])}
    table.append(rows, views, {name: {} for name in views}, {})
    for name, view in views.items():
        np.testing.assert_array_equal(table.read(name, rows), view)


def test_another_open_table_sees_new_parts(store: Store, table: Table):
    """Parts that someone else commits appear at the next question, also right after the folder was listed."""
    other = Store(store.root).table("resnet", {})
    for i in range(30):
        assert other.missing(["last"], rows_of([i])).all()
        fill(table, [i])
        assert not other.missing(["last"], rows_of([i])).any()


def test_threads_share_a_table(table: Table):
    """Readers and writers in several threads never see a wrong row."""
    wrong: list[str] = []

    def work(start: int) -> None:
        for i in range(start, start + 15):
            rows = fill(table, range(i, i + 20))
            if not np.array_equal(table.read("last", rows), values_of(rows)):
                wrong.append(f"{i}")

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 5, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_store_can_be_sent_to_another_process(store: Store, table: Table):
    """A store and its tables are pickled as the place where they lie."""
    rows = fill(table, range(3))
    assert pickle.loads(pickle.dumps(store)).root == store.root
    copy = pickle.loads(pickle.dumps(table))
    np.testing.assert_array_equal(copy.read("last", rows), values_of(rows))
    assert copy.about == {"network": "resnet"}


@pytest.mark.skipif(sys.platform != "linux", reason="the cache directory of Linux")
def test_the_store_lies_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An argument wins over ICECORE_STORE, which wins over the user's cache; a tilde is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ICECORE_STORE", "~/named")
    assert Store(tmp_path / "given").root == tmp_path / "given"
    assert Store("~/given").root == tmp_path / "given"
    assert Store().root == tmp_path / "named"
    monkeypatch.delenv("ICECORE_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Store().root == tmp_path / "xdg" / "icecore" / "store"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Store().root == tmp_path / ".cache" / "icecore" / "store"


def test_a_store_may_have_an_odd_name(tmp_path: Path):
    """Spaces, quotes, newlines, Unicode and bytes that are no text in the path of the store do no harm."""
    for name in ("a b", "it's", "line\nbreak", "größe ☃", "\udcff"):
        table = Store(tmp_path / name).table("t", {})
        rows = fill(table, range(2))
        np.testing.assert_array_equal(Store(tmp_path / name).table("t", {}).read("last", rows), values_of(rows))
