"""Rows that another version or engine wrote are compared before they are reused."""

from pathlib import Path

import numpy as np
import pytest

from icecore.data import read
from icecore.features import extract
from icecore.keys import row_of_file
from icecore.prefix import column_key, columns_of, network_about, network_key
from icecore.store import Store
from tests.features.photos import forwarded, tiny, write_photos

LAYERS = ["first", "last"]
OLD = {"engine": "eager", "device": "cpu", "torch": "1.0"}


def reused(store: Store, folder: Path, layers: list[str] = LAYERS) -> tuple[int, int]:
    """Rows that a run computes, and items that went through its network."""
    backbone = tiny()
    features = extract(backbone, read(folder), columns_of(backbone, layers), store=store)
    return features.report.computed, forwarded(backbone)


@pytest.fixture
def true(folder: Path, tmp_path: Path):
    """What the network gives: row keys, and the values of each layer."""
    backbone = tiny()
    features = extract(backbone, read(folder), columns_of(backbone, LAYERS), store=Store(tmp_path / "true"))
    return features.rows, {layer: features.read(layer) for layer in LAYERS}


def written(store: Store, rows: list[bytes], values: dict[str, np.ndarray], by: dict[str, str] = OLD) -> None:
    """Rows in the store as another version would have left them."""
    backbone = tiny()
    columns = {column.layer: column_key(backbone, column) for column in columns_of(backbone, LAYERS)}
    store.table(network_key(backbone), network_about(backbone)).append(
        rows,
        {columns[layer]: value for layer, value in values.items()},
        {columns[layer]: {"layer": layer} for layer in values},
        by,
    )


def test_rows_of_this_version_are_not_doubted(folder: Path, store: Store):
    """What this process's engine and libraries wrote is reused without running the network."""
    assert reused(store, folder) == (10, 10)
    assert reused(Store(store.root), folder) == (0, 0)


def test_rows_of_another_version_that_agree_are_reused(folder: Path, store: Store, true):
    """A few are computed again, differ within the tolerance, and that is asked once a process."""
    rows, values = true
    written(store, rows, {layer: value * np.float32(1 + 3e-5) for layer, value in values.items()})
    assert reused(store, folder) == (0, 3)
    assert reused(store, folder) == (0, 0)
    assert reused(Store(store.root), folder) == (0, 0)


def test_a_column_that_differs_is_set_aside(folder: Path, store: Store, true):
    """The column in which they disagree is computed anew, with a sentence; the other one is kept."""
    rows, values = true
    written(store, rows, {"first": values["first"], "last": values["last"] * np.float32(1.01)})
    with pytest.warns(UserWarning, match=r"10 stored rows of last \(none\)") as caught:
        assert reused(store, folder) == (10, 13)
    assert len(caught) == 1
    said = str(caught[0].message)
    assert "torch 1.0 (here " in said
    assert "differ from what is computed here by 0.0099 of the largest value in a row, where 0.0001 is allowed." in said
    assert said.endswith("They were set aside and are computed again.")
    backbone = tiny()
    features = extract(backbone, read(folder), columns_of(backbone, LAYERS), store=store)
    assert forwarded(backbone) == 0
    np.testing.assert_allclose(features.read("last"), values["last"], rtol=1e-5)


def test_only_the_writer_that_differs_loses_its_rows(folder: Path, store: Store, true):
    """Rows that others wrote into the same column stay."""
    rows, values = true
    written(store, rows[:4], {"last": values["last"][:4] + 1}, OLD | {"torch": "1.1"})
    written(store, rows[4:8], {"last": values["last"][4:8]}, OLD | {"torch": "1.2"})
    with pytest.warns(UserWarning, match="4 stored rows of last"):
        assert reused(store, folder, ["last"]) == (6, 6 + 6)


def test_another_shape_is_a_difference(folder: Path, store: Store, true):
    """A version that gave another number of channels is not mixed with this one."""
    rows, values = true
    written(store, rows, {"last": values["last"][:, :3]})
    with pytest.warns(UserWarning, match="differ from what is computed here by their shape"):
        assert reused(store, folder, ["last"]) == (10, 13)


def test_rows_that_are_not_asked_for_are_not_looked_at(folder: Path, store: Store, true, tmp_path: Path):
    """What other data sets left in the same column costs nothing."""
    rows, values = true
    written(store, rows, {"last": values["last"] + 1})
    write_photos(tmp_path / "others", range(100, 102))
    assert reused(store, tmp_path / "others", ["last"]) == (2, 2)


def test_a_sample_that_cannot_be_decoded_decides_nothing(store: Store, tmp_path: Path):
    """Where another version could decode what this one cannot, there is nothing to compare, and its rows stay."""
    path = tmp_path / "one" / "strange.png"
    path.parent.mkdir()
    path.write_bytes(b"a format of old")
    written(store, [row_of_file(path)], {"last": np.ones((1, 6), np.float32)})
    assert reused(store, path.parent, ["last"]) == (0, 0)
