"""What is computed, what is reused, and in which order it comes back."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icecore.backbones import Extractor
from icecore.data import Dataset, Item, decode_image, read
from icecore.errors import LayerError, UsageError
from icecore.features import Features, Report, extract
from icecore.prefix import Column, columns_of
from icecore.store import Store
from tests.features.photos import forwarded, pixels, tiny, write_photos


def last(backbone: Extractor, data: object, store: Store, **options: object) -> Features:
    return extract(backbone, read(data), columns_of(backbone, "last"), store=store, **options)


def counts(features: Features) -> tuple[int, int]:
    return features.report.computed, features.report.reused


def test_a_second_run_computes_nothing(backbone: Extractor, folder: Path, store: Store):
    """What one run has computed the next reads, in the same process or with the store opened anew."""
    first = last(backbone, folder, store)
    assert (counts(first), forwarded(backbone)) == ((10, 0), 10)
    for again in (store, Store(store.root)):
        second = last(backbone, folder, again)
        assert (counts(second), forwarded(backbone)) == ((0, 10), 0)
        np.testing.assert_array_equal(second.read(), first.read())


def test_features_are_those_of_the_network(backbone: Extractor, folder: Path, store: Store):
    """Each row equals the network's own forward of that item alone."""
    features = last(backbone, folder, store, batch_size=3)
    for i, item in enumerate(features.dataset.inputs):
        alone = backbone.module(backbone.prepare(decode_image(item.value.read_bytes()))[None])[0].numpy()
        np.testing.assert_allclose(features.read()[i], alone, rtol=1e-5, atol=1e-6)


def test_equal_files_are_computed_once(backbone: Extractor, folder: Path, store: Store):
    """Copies under other names share a row: one pass through the network, and a value for each of them."""
    for i in range(5):
        shutil.copy(folder / "0000.png", folder / f"copy {i}.png")
    features = last(backbone, folder, store)
    assert forwarded(backbone) == 10
    assert counts(features) == (10, 5)
    names = [item.value.name for item in features.dataset.inputs]
    values = features.read()
    for i in range(5):
        np.testing.assert_array_equal(values[names.index(f"copy {i}.png")], values[names.index("0000.png")])


def test_one_per_cent_of_new_photographs_is_one_per_cent_of_the_work(tmp_path: Path, store: Store):
    """Of 202 photographs, 200 of which are known, two are computed."""
    backbone = tiny()
    write_photos(tmp_path / "many", range(200))
    last(backbone, tmp_path / "many", store)
    forwarded(backbone)
    write_photos(tmp_path / "many", range(200, 202))
    features = last(backbone, tmp_path / "many", store)
    assert (counts(features), forwarded(backbone)) == ((2, 200), 2)


def test_another_layer_or_pooling_computes_that_alone(backbone: Extractor, folder: Path, store: Store):
    """Columns are stored one by one: what is new is computed in one pass, what is there is left alone."""
    dataset = read(folder)
    passes = [("first", "mean"), ("first", "max"), (["first", "last"], "mean"), (["first", "second", "last"], "mean")]
    written = []
    for layers, pooling in passes:
        features = extract(backbone, dataset, columns_of(backbone, layers, pooling), store=store)
        assert forwarded(backbone) == 10
        assert counts(features) == (10, 0)
        (info,) = store.tables()
        written.append(len(info.columns))
    assert written == [1, 2, 3, 4]
    everything = [*columns_of(backbone, ["first", "second", "last"]), *columns_of(backbone, "first", "max")]
    assert counts(extract(backbone, dataset, everything, store=store)) == (0, 10)


def test_the_forward_stops_at_the_last_layer_asked_for(folder: Path, store: Store):
    """Asking for an early layer runs nothing that comes after it."""
    backbone = tiny()
    backbone.module.second.register_forward_hook(lambda *_: pytest.fail("the second layer ran"))
    features = extract(backbone, read(folder), columns_of(backbone, "first"), store=store)
    assert features.read().shape == (10, 4)


def test_several_poolings_of_a_layer_come_from_one_pass(backbone: Extractor, folder: Path, store: Store):
    """All poolings of all layers are taken from the same activations."""
    columns = [
        column
        for pooling in ("mean", "max", "gem", "flatten", "none")
        for column in columns_of(backbone, ["first", "second"], pooling)
    ]
    features = extract(backbone, read(folder), columns, store=store, batch_size=4)
    assert forwarded(backbone) == 10
    whole = np.stack(features.read(Column("second", "none")))
    assert whole.shape == (10, 6, 5, 5)
    np.testing.assert_array_equal(features.read(Column("second", "flatten")), whole.reshape(10, -1))
    np.testing.assert_allclose(features.read(Column("second", "mean")), whole.mean((2, 3)), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(features.read(Column("second", "max")), whole.max((2, 3)))
    gem = (whole.clip(1e-6) ** 3).mean((2, 3)) ** (1 / 3)
    np.testing.assert_allclose(features.read(Column("second", "gem")), gem, rtol=1e-4)


def test_rows_that_lack_different_columns_are_computed_with_these_alone(
    backbone: Extractor, folder: Path, store: Store
):
    """Where some items have a layer already, nothing is written twice."""
    dataset = read(folder)
    extract(backbone, dataset.take(np.arange(4)), columns_of(backbone, "first"), store=store)
    extract(backbone, dataset.take(np.arange(2, 6)), columns_of(backbone, "last"), store=store)
    forwarded(backbone)
    features = extract(backbone, dataset, columns_of(backbone, ["first", "last"]), store=store)
    assert (counts(features), forwarded(backbone)) == ((8, 2), 8)
    assert stored_values(store) == 2 * 10


def stored_values(store: Store) -> int:
    """How many values the parts hold, any that are there twice counted twice."""
    tables = [pa.ipc.open_file(path).read_all() for path in store.root.glob("*/*.arrow")]
    return sum(table.num_rows * (table.num_columns - 1) for table in tables)


@settings(max_examples=25)
@given(order=st.lists(st.integers(0, 5), min_size=1, max_size=12), size=st.integers(1, 5))
def test_the_order_of_items_and_the_batch_size_change_nothing(order: list[int], size: int):
    """Any sequence of items, repeats included, gives each the value that it has alone."""
    backbone = tiny()
    alone = {i: backbone.module(backbone.prepare(decode_image(pixels(i)))[None])[0].numpy() for i in range(6)}
    forwarded(backbone)
    with tempfile.TemporaryDirectory() as place:
        features = last(backbone, [pixels(i) for i in order], Store(place), batch_size=size)
        np.testing.assert_allclose(features.read(), [alone[i] for i in order], rtol=1e-5, atol=1e-6)
    assert forwarded(backbone) == len(set(order))


def test_a_network_with_another_tail_shares_what_lies_below(folder: Path, store: Store):
    """After a change of the last layer's weights, the layers before it are read and only the tail is computed."""
    parent, child = tiny(), tiny()
    child.module.second.weight.data += 1
    child = tiny(child.module)
    dataset = read(folder)
    extract(parent, dataset, columns_of(parent, ["first", "last"]), store=store)
    assert counts(extract(child, dataset, columns_of(child, "first"), store=store)) == (0, 10)
    assert counts(extract(child, dataset, columns_of(child, "last"), store=store)) == (10, 0)


def test_the_input_itself_can_be_taken_without_the_network(backbone: Extractor, folder: Path, store: Store):
    """The baseline of raw inputs runs no network, and says that nothing was computed."""
    features = extract(backbone, read(folder), columns_of(backbone, "input", "thumbnail"), store=store)
    assert features.read().shape == (10, 3 * 16 * 16)
    assert (counts(features), forwarded(backbone)) == ((0, 10), 0)


def test_parts_of_features(backbone: Extractor, folder: Path, store: Store):
    """`take` goes by positions or by a mask; asking for a layer that is not there names those that are."""
    features = last(backbone, folder, store)
    values = features.read()
    mask = np.arange(10) % 3 == 0
    for index in (mask, np.flatnonzero(mask), np.array([9, 0, 0])):
        part = features.take(index)
        np.testing.assert_array_equal(part.read(), values[index])
        assert [item.row for item in part.dataset.inputs] == np.arange(10)[index].tolist()
    with pytest.raises(LayerError, match=r"'first' was asked for, and there are last \(none\)"):
        features.read("first")


def test_no_items_give_no_rows(backbone: Extractor, folder: Path, store: Store):
    """An empty selection is no error, before anything is stored and after."""
    dataset = read(folder)
    for _ in range(2):
        none = extract(backbone, dataset.take(np.arange(0)), columns_of(backbone, "last"), store=store)
        assert (len(none), none.shape(), counts(none)) == (0, (), (0, 0))
        assert len(none.read()) == 0
        last(backbone, dataset, store)


def test_the_report_counts_distinct_inputs(backbone: Extractor, store: Store):
    """Three equal arrays are one computation and two reuses."""
    features = last(backbone, [pixels(0)] * 3, store)
    assert isinstance(features.report, Report)
    assert counts(features) == (1, 2)
    assert features.report.seconds > 0


def test_data_of_another_modality_are_refused(backbone: Extractor, store: Store):
    """Texts given to a network for images are an error of the call, not a thousand bad items."""
    texts = Dataset("reviews.csv", [Item(0, "a", "text", "a")], modality="text")
    with pytest.raises(UsageError, match=r"reviews\.csv was read as text, and wrapped takes image\."):
        extract(backbone, texts, columns_of(backbone, "last"), store=store)
