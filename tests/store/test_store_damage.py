"""Whatever happens to the files: a row read is right, or it is missing."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icecore.errors import StoreError
from icecore.store import Damage, Store, Table
from tests.store.rows import fill, flip, parts_of, rows_of, values_of

COLUMNS = ("pooled", "half", "ragged")


def wanted(column: str, rows: list[bytes]) -> list[np.ndarray]:
    values = values_of(rows, 3)
    return [value.reshape(3, 1) for value in values] if column == "ragged" else list(values)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one small part of every kind of column."""
    root, rows = tmp_path_factory.mktemp("example"), rows_of(range(5))
    columns = {"pooled": values_of(rows, 3), "half": values_of(rows, 3).astype(np.float16)}
    columns["ragged"] = wanted("ragged", rows)
    about = {name: {"layer": name} for name in columns}
    Store(root).table("t", {"a": 1}).append(rows, columns, about, {"engine": "eager"})
    return root


@settings(max_examples=300)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_damaged_byte_is_found_by_verify_and_never_read(
    example: Path, tmp_path_factory: pytest.TempPathFactory, where: float, mask: int
):
    """Wherever one byte of a part differs, a read is right or says the row is missing, and `verify` finds the part."""
    root = tmp_path_factory.mktemp("damaged") / "store"
    shutil.copytree(example, root)
    (part,) = parts_of(root / "t")
    flip(part, where, mask)
    untouched = shutil.copytree(root, root.with_name("untouched"))
    rows = rows_of(range(5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for column in COLUMNS:
            try:
                read = Store(root).table("t", {}).read(column, rows)
            except StoreError as error:
                assert "rows asked for are not in column" in str(error)  # noqa: PT017 - either outcome is right
            else:
                for row, want in zip(read, wanted(column, rows), strict=True):
                    np.testing.assert_array_equal(row, want)
    assert Store(untouched).verify() == [Damage("t", part.name, "its bytes are not those that were written")]
    assert Store(untouched).verify() == []
    assert not parts_of(untouched / "t")


@pytest.mark.parametrize("size", [0, 1, 7, 100, 1000])
def test_a_truncated_part_is_set_aside_with_a_warning(table: Table, size: int):
    """A part that cannot be opened is renamed, its rows are missing again, and the others are read on."""
    lost, kept = fill(table, range(5)), None
    (part,) = parts_of(table.folder)
    kept = fill(table, range(5, 8))
    part.write_bytes(part.read_bytes()[:size])
    reopened = Store(table.folder.parent).table("resnet", {})
    with pytest.warns(UserWarning, match="damaged and was set aside; its rows will be computed again"):
        assert reopened.missing(["last"], lost + kept).tolist() == [True] * 5 + [False] * 3
    np.testing.assert_array_equal(reopened.read("last", kept), values_of(kept))
    assert part.with_name(part.name + ".damaged").exists()


def test_missing_and_read_agree_about_damaged_values(table: Table):
    """`missing` already looks at the values of the rows asked for: what it calls there can be read."""
    rows = fill(table, range(1000))
    (part,) = parts_of(table.folder)
    flip(part, 0.5)
    with pytest.warns(UserWarning, match="damaged"):
        assert table.missing(["last"], rows).all()
    fill(table, range(1000))
    np.testing.assert_array_equal(table.read("last", rows), values_of(rows))


def test_another_part_stands_in_for_a_damaged_one(table: Table):
    """Where two parts hold a row and the first is damaged, the row is read from the second."""
    rows = fill(table, range(100))
    fill(table, range(50, 150))
    flip(parts_of(table.folder)[0], 0.5)
    reopened = Store(table.folder.parent).table("resnet", {})
    with pytest.warns(UserWarning, match="damaged"):
        np.testing.assert_array_equal(reopened.read("last", rows[50:]), values_of(rows[50:]))
    assert reopened.missing(["last"], rows).sum() == 50


def test_damage_in_one_table_leaves_the_others(store: Store, table: Table):
    """`verify` names the table and the part, and touches no sound one."""
    fill(table, range(10))
    other = store.table("other", {})
    rows = fill(other, range(10))
    flip(parts_of(table.folder)[0], 0.5)
    assert [damage.table for damage in store.verify()] == ["resnet"]
    np.testing.assert_array_equal(other.read("last", rows), values_of(rows))


def test_files_that_are_not_ours_are_left_alone(store: Store, table: Table):
    """Foreign files and folders in the store are neither read nor removed."""
    rows = fill(table, range(3))
    foreign = [table.folder / "notes.txt", table.folder / "x.arrow", store.root / "file", store.root / ".git"]
    for path in foreign:
        path.write_text("mine")
    (store.root / "empty").mkdir()
    assert store.verify() == []
    assert [info.key for info in store.tables()] == ["resnet"]
    store.compact()
    store.prune(0)
    assert all(path.read_text() == "mine" for path in foreign)
    assert table.missing(["last"], rows).all()


def test_a_broken_description_does_not_stop_a_listing(store: Store, table: Table):
    """What the table says of itself may be lost; its rows are not."""
    fill(table, range(3))
    for text in ("{", "[]"):
        (table.folder / "table.json").write_text(text)
        assert [(info.rows, info.about) for info in store.tables()] == [(3, {})]
    (table.folder / "table.json").unlink()
    fill(table, range(3, 4))
    assert store.tables()[0].about == {"network": "resnet"}
