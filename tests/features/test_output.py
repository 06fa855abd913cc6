"""Features in files: what is written is read back by the libraries that people use."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file

from icecore.backbones import Extractor
from icecore.data import Dataset, ImagePreprocessing, Item, read
from icecore.errors import UsageError
from icecore.features import Features, extract, names, write
from icecore.prefix import Column, columns_of
from icecore.store import Store
from tests.features.photos import pixels, tiny

TABLES = (".parquet", ".arrow", ".feather")
ENDINGS = (*TABLES, ".npy", ".npz", ".safetensors")


def items(count: int, bad: tuple[int, ...] = ()) -> list[Item]:
    """Arrays, those at the places `bad` of a kind that is no image."""
    return [
        Item(row, f"item {row}", "array", np.zeros((2, 2, 7)) if row in bad else pixels(row)) for row in range(count)
    ]


def features_of(store: Store, data: Dataset, layers: object = "last", pooling: str = "mean") -> Features:
    backbone = tiny()
    return extract(backbone, data, columns_of(backbone, layers, pooling), store=store)


@pytest.fixture
def three(store: Store) -> Features:
    """Two layers of the good ones among five items; the second and the last are bad."""
    labels = {"kind": np.array(["a", "b", "c", "d", "e"], object), "size": np.arange(5.0)}
    return features_of(store, Dataset("list", items(5, bad=(1, 4)), labels), ["first", "last"])


def read_table(path: Path) -> pa.Table:
    return pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()


@pytest.mark.parametrize("ending", TABLES)
def test_tables_have_a_line_for_each_good_item(three: Features, tmp_path: Path, ending: str):
    """Row, input, targets and a column a layer; Polars and pandas read the same."""
    path = tmp_path / f"out{ending}"
    write(three, path)
    table = read_table(path)
    assert table.column_names == ["row", "input", "target:kind", "target:size", "first", "last"]
    assert table["row"].to_pylist() == [0, 2, 3]
    assert table["input"].to_pylist() == ["item 0", "item 2", "item 3"]
    assert table["target:kind"].to_pylist() == ["a", "c", "d"]
    assert table["target:size"].to_pylist() == [0.0, 2.0, 3.0]
    frame = (pl.read_parquet if ending == ".parquet" else pl.read_ipc)(path)
    for layer in ("first", "last"):
        np.testing.assert_array_equal(np.array(table[layer].to_pylist(), np.float32), three[layer])
        np.testing.assert_array_equal(frame[layer].to_numpy(), three[layer])
    pandas = pd.read_parquet(path) if ending == ".parquet" else pd.read_feather(path)
    np.testing.assert_array_equal(np.stack(pandas["last"].to_numpy()), three["last"])


def test_npy_has_every_item_at_its_own_place(store: Store, tmp_path: Path):
    """The line of an item that was set aside is NaN, and no other line moves, bad ones at the end included."""
    features = features_of(store, Dataset("list", items(6, bad=(0, 3, 5))))
    write(features, tmp_path / "out.npy")
    whole = np.load(tmp_path / "out.npy")
    assert whole.shape == (6, 6)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[[1, 2, 4]], features.read())
    assert np.isnan(whole[[0, 3, 5]]).all()


def test_npy_of_a_part_of_the_data_keeps_the_places(three: Features, tmp_path: Path):
    """A selection is written at the places that its items have in the whole."""
    write(features := three.take(np.array([2])), tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet")["row"].to_pylist() == [3]
    last = next(column for column in features.columns if column.layer == "last")
    only = Features(features.dataset, features.rows, {last: features.columns[last]}, features.source, (), three.report)
    write(only, tmp_path / "x.npy")
    whole = np.load(tmp_path / "x.npy")
    assert np.isnan(whole[:3]).all()
    np.testing.assert_array_equal(whole[3], only.read()[0])


def test_npy_holds_one_layer(three: Features, tmp_path: Path):
    """Several layers do not fit, and the message names the endings that hold them."""
    with pytest.raises(UsageError, match=r"out\.npy can hold one layer, and 2 were asked for\. Name one layer, or"):
        write(three, tmp_path / "out.npy")
    assert list(tmp_path.glob("*.npy")) == []


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_archives_have_an_array_for_each_layer_and_the_rows(three: Features, tmp_path: Path, ending: str):
    """NumPy and safetensors give back arrays of float32 under the layers' names, and `row`."""
    write(three, tmp_path / f"out{ending}")
    found = np.load(tmp_path / "out.npz") if ending == ".npz" else load_file(tmp_path / "out.safetensors")
    assert sorted(found) == ["first", "last", "row"]
    for layer in ("first", "last"):
        assert found[layer].dtype == np.float32
        np.testing.assert_array_equal(found[layer], three[layer])
    assert found["row"].tolist() == [0, 2, 3]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_layer_that_is_not_pooled_keeps_its_shape(store: Store, tmp_path: Path, ending: str):
    """Arrays are whole; tables hold flat lists with the shape beside them."""
    features = features_of(store, Dataset("list", items(3)), "first", "none")
    path = tmp_path / f"out{ending}"
    write(features, path)
    whole = np.stack(features.read())
    if ending in TABLES:
        table = read_table(path)
        assert table["first:shape"].to_pylist() == [[4, 11, 11]] * 3
        np.testing.assert_array_equal(np.array(table["first"].to_pylist(), np.float32), whole.reshape(3, -1))
    elif ending == ".npy":
        np.testing.assert_array_equal(np.load(path), whole)
    else:
        found = np.load(path) if ending == ".npz" else load_file(path)
        np.testing.assert_array_equal(found["first"], whole)


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_of_different_shapes_need_a_table(store: Store, tmp_path: Path, ending: str):
    """One array cannot hold them, and the message says what can."""
    backbone = tiny(preprocess=ImagePreprocessing())
    features = extract(
        backbone, read([pixels(0, 24), pixels(1, 40)]), columns_of(backbone, "first", "none"), store=store
    )
    path = tmp_path / f"out{ending}"
    if ending in TABLES:
        write(features, path)
        assert read_table(path)["first:shape"].to_pylist() == [[4, 11, 11], [4, 19, 19]]
    else:
        with pytest.raises(UsageError, match=r"\(4, 11, 11\), another's \(4, 19, 19\), which one array cannot hold"):
            write(features, path)
        assert not path.exists()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("known", [False, True])
def test_nothing_but_bad_items_is_a_file_without_rows(store: Store, tmp_path: Path, ending: str, known: bool):
    """A file is written all the same, whether or not the store knows the layer from other items."""
    if known:
        features_of(store, Dataset("list", items(2)))
    features = features_of(store, Dataset("list", items(2, bad=(0, 1)), {"kind": np.array(["a", "b"], object)}))
    path = tmp_path / f"out{ending}"
    write(features, path)
    if ending in TABLES:
        table = read_table(path)
        assert table.num_rows == 0
        assert {"row", "input", "target:kind", "last"} <= set(table.column_names)
    elif ending == ".npy":
        assert np.isnan(np.load(path)).all()
        assert len(np.load(path)) == 2
    else:
        found = np.load(path) if ending == ".npz" else load_file(path)
        assert (len(found["last"]), len(found["row"])) == (0, 0)


def test_names_that_mean_something_else_in_files(store: Store, tmp_path: Path):
    """The network's input, as a layer, does not take the place of the items' names."""
    features = features_of(store, Dataset("list", items(2)), ["input", "last"])
    assert list(names(features).values()) == ["layer:input", "last"]
    write(features, tmp_path / "out.parquet")
    table = read_table(tmp_path / "out.parquet")
    assert table["input"].to_pylist() == ["item 0", "item 1"]
    assert np.array(table["layer:input"].to_pylist()).shape == (2, 3)


def test_a_layer_pooled_in_several_ways_is_named_with_its_pooling(store: Store, tmp_path: Path):
    """Names in a file are unique, and no longer than they need to be."""
    backbone = tiny()
    columns = [Column("first", "mean"), Column("first", "max"), Column("last", "none")]
    features = extract(backbone, Dataset("list", items(2)), columns, store=store)
    write(features, tmp_path / "out.npz")
    assert sorted(np.load(tmp_path / "out.npz")) == ["first:max", "first:mean", "last", "row"]


def test_names_that_are_no_utf8_are_shown_as_people_see_them(store: Store, tmp_path: Path):
    """Bytes of another encoding, in names and in labels, are written as escapes."""
    (tmp_path / "in").mkdir()
    try:
        Image.fromarray(pixels(0)).save(tmp_path / "in" / "caf\udce9.png")
    except OSError:
        pytest.skip("this file system has no such names")
    dataset = read(tmp_path / "in")
    labelled = Dataset("in", dataset.inputs, {"label": np.array(["caf\udce9"], object)})
    for ending in ENDINGS:
        write(features_of(store, labelled), tmp_path / f"out{ending}")
    table = read_table(tmp_path / "out.parquet")
    assert table["input"].to_pylist()[0].endswith("caf\\xe9.png")
    assert table["target:label"].to_pylist() == ["caf\\xe9"]


labels = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=5))


@settings(max_examples=60)
@given(values=st.lists(labels, min_size=4, max_size=4), ending=st.sampled_from(TABLES))
def test_targets_of_any_types(values: list[object], ending: str):
    """One type keeps its type; several become text; what has no value stays without one."""
    column = np.empty(4, object)
    column[:] = values
    with tempfile.TemporaryDirectory() as place:
        features = features_of(Store(Path(place) / "store"), Dataset("list", items(4), {"y": column}))
        write(features, Path(place) / f"out{ending}")
        table = read_table(Path(place) / f"out{ending}")
        found, kind = table["target:y"].to_pylist(), table.schema.field("target:y").type
        del table
    assert [value is None for value in found] == [value is None for value in values]
    there = [value for value in values if value is not None]
    if pa.types.is_string(kind):
        escaped = [str(value).encode("utf-8", "backslashreplace").decode() for value in there]
        assert [value for value in found if value is not None] == escaped
    else:
        np.testing.assert_array_equal([value for value in found if value is not None], there)


@pytest.mark.parametrize("ending", TABLES)
def test_targets_whose_type_shows_late(store: Store, tmp_path: Path, ending: str, backbone: Extractor):
    """Files are written a piece at a time, with the type that the whole column needs."""
    one = pixels(0)
    many = [Item(row, str(row), "array", one) for row in range(5000)]
    labels = np.array([None] * 2500 + [1] * 2499 + [2.5], object)
    write(features_of(store, Dataset("list", many, {"y": labels})), tmp_path / f"out{ending}")
    table = read_table(tmp_path / f"out{ending}")
    assert table["target:y"].to_pylist() == labels.tolist()
    assert table["last"].num_chunks == 3


def test_an_unknown_ending_is_told(three: Features, tmp_path: Path):
    """The message lists the endings that there are."""
    with pytest.raises(UsageError, match=r"'out\.csv' has no ending that says its format\. One of \.parquet, \.arrow"):
        write(three, tmp_path / "out.csv")


def test_a_place_that_cannot_be_written_is_told(three: Features, tmp_path: Path):
    """A folder in the way, or a file where a folder should be: one sentence, and nothing half-written is left."""
    (tmp_path / "out.npz").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"out\.npz cannot be written: .+\. Choose another place\."):
        write(three, tmp_path / "out.npz")
    with pytest.raises(UsageError, match=r"out\.arrow cannot be written: File exists"):
        write(three, tmp_path / "file" / "out.arrow")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "store") == ["file", "out.npz"]


def test_folders_on_the_way_are_made(three: Features, tmp_path: Path):
    """`--out new/folder/out.npz` needs no preparation."""
    write(three, tmp_path / "new" / "folder" / "out.npz")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["out.npz"]
