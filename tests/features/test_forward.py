"""Batches that do not fit, inputs that the network cannot take, values that are not finite."""

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from icecore.backbones import Extractor
from icecore.data import ImagePreprocessing, Item, decode_image, read
from icecore.errors import BackboneError
from icecore.features import Features, extract
from icecore.features.pipeline import Job, compute
from icecore.keys import row_of_array
from icecore.prefix import columns_of
from icecore.store import Store
from tests.features.photos import Tiny, forwarded, pixels, tiny, write_photos

ANY_SIZE = ImagePreprocessing()
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


class Small(Tiny):
    """A network on a device with room for a few items."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.seen.get("room", len(x)):
            raise self.seen["error"]
        return super().forward(x)


class Picky(Tiny):
    """A network that gives no finite value for inputs whose first pixel is black."""

    def forward(self, x: Tensor) -> Tensor:
        good = super().forward(x)
        return torch.where((x[:, :1, 0, 0] == 0), torch.inf, good)


def last(backbone: Extractor, data: object, store: Store, **options: object) -> Features:
    return extract(backbone, read(data), columns_of(backbone, "last"), store=store, **options)


def small(room: int, error: Exception = CUDA) -> Extractor:
    """Room is short only once the probe pass is over."""
    backbone = tiny(Small())
    backbone.module.seen |= {"room": room, "error": error}
    return backbone


def test_a_batch_that_does_not_fit_is_halved(folder: Path, store: Store, tmp_path: Path):
    """It is halved until it fits, the size that fits is kept to, and the values are those of any other size."""
    write_photos(folder, range(10, 40))
    backbone = small(room=5)
    features = last(backbone, folder, store, batch_size=16)
    assert backbone.module.seen["batches"] == (4,) * 10
    plain = last(tiny(Small()), folder, Store(tmp_path / "other"), batch_size=16)
    np.testing.assert_allclose(features.read(), plain.read(), rtol=1e-5, atol=1e-6)


def test_large_activations_go_in_small_pieces_on_a_cpu(store: Store):
    """Where an activation of the whole batch would take more than 24 MB, fewer items go at a time: that is faster."""
    backbone = tiny(preprocess=ImagePreprocessing(resize="exact", resize_size=700))
    features = last(backbone, [pixels(i) for i in range(9)], store, batch_size=8)
    assert backbone.module.seen["batches"] == (4, 4, 1)
    alone = backbone.module(backbone.prepare(decode_image(pixels(7)))[None])[0]
    np.testing.assert_allclose(features.read()[7], alone.numpy(), rtol=1e-5, atol=1e-6)


def test_an_item_that_does_not_fit_alone_is_an_error(folder: Path, store: Store):
    """There is nothing left to halve: the message says so, and what to do."""
    with pytest.raises(BackboneError, match=r"A single item does not fit in memory beside wrapped: CUDA out of memory"):
        last(small(room=0), folder, store)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
    ],
)
def test_every_way_to_run_out_of_memory_is_known(folder: Path, store: Store, error: Exception):
    """Python, torch on a CPU and torch on a Mac say it in their own ways."""
    backbone = small(2, error)
    assert len(last(backbone, folder, store)) == 10
    assert forwarded(backbone) == 10


def test_an_error_of_the_network_itself_is_not_hidden(folder: Path, store: Store):
    """What goes wrong on an input of the network's own shape is a fault to be seen, not a bad item."""

    class Broken(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            if "broken" in self.seen:
                raise RuntimeError("a fault in the network")
            return super().forward(x)

    backbone = tiny(Broken())
    backbone.module.seen["broken"] = True
    with pytest.raises(RuntimeError, match="a fault in the network"):
        last(backbone, folder, store)


def test_an_input_that_the_network_cannot_take_is_set_aside(store: Store):
    """An image too small for the kernels fails alone, and says its shape; others of any size go on."""
    backbone = tiny(preprocess=ANY_SIZE)
    features = last(backbone, [pixels(0, 30), pixels(1, 2), pixels(2, 40)], store)
    (bad,) = features.bad
    assert bad.row == 1
    assert bad.reason.startswith("the network cannot run on an input of shape (3, 2, 2): Calculated padded input size")
    assert len(features) == 2


def test_inputs_of_one_shape_share_a_batch(store: Store):
    """Items of mixed sizes are batched by size, and each has the value that it has alone."""
    backbone = tiny(preprocess=ANY_SIZE)
    backbone.engine = "eager"  # by itself it looks at a few items first
    items = [pixels(i, 20 + i % 3) for i in range(30)]
    features = last(backbone, items, store, batch_size=5)
    assert backbone.module.seen["batches"] == (5,) * 6
    for i in (0, 17, 29):
        alone = backbone.module(backbone.prepare(decode_image(items[i]))[None])[0]
        np.testing.assert_allclose(features.read()[i], alone.numpy(), rtol=1e-5, atol=1e-6)


def test_inputs_of_many_shapes_do_not_pile_up():
    """Items that find no company for a batch go alone after a while: memory does not follow the data."""
    backbone = tiny(preprocess=ANY_SIZE)
    drawn = []

    def jobs():
        for i in range(100):
            drawn.append(i)
            array = pixels(i, 20 + i)
            yield Job(row_of_array(array), Item(i, "", "array", array))

    with closing(compute(backbone, jobs(), columns_of(backbone, "last"), batch_size=2, workers=1)) as computed:
        next(computed)
        assert len(drawn) < 20
        assert 1 + sum(len(done.rows) for done in computed) == 100


def test_values_that_are_not_finite_are_set_aside(store: Store):
    """An item for which the network gives infinities is a bad item, and its neighbours in the batch are none."""
    items = [pixels(i) for i in range(5)]
    items[3][0, 0] = 0
    features = last(tiny(Picky(), ImagePreprocessing()), items, store)
    (bad,) = features.bad
    assert (bad.row, bad.reason) == (3, "the network gives values that are not finite for it")
    assert [item.row for item in features.dataset.inputs] == [0, 1, 2, 4]
    assert np.isfinite(features.read()).all()


def test_a_layer_below_the_infinities_is_still_good(store: Store):
    """Only what is asked for counts: the same item has features of an earlier layer."""
    black = np.zeros((24, 24, 3), np.uint8)
    backbone = tiny(Picky(), ImagePreprocessing())
    assert len(last(backbone, [black], store)) == 0
    below = extract(backbone, read([black]), columns_of(backbone, "first"), store=store)
    assert (len(below), below.bad) == (1, ())


def test_unpooled_rows_of_different_shapes(store: Store):
    """With `none` every item keeps the shape that it has."""
    backbone = tiny(preprocess=ANY_SIZE)
    features = extract(
        backbone, read([pixels(0, 24), pixels(1, 40)]), columns_of(backbone, "first", "none"), store=store
    )
    assert [value.shape for value in features.read()] == [(4, 11, 11), (4, 19, 19)]


def test_threads_stay_as_they_were(folder: Path, store: Store):
    """Decoding threads use one core each; the caller's number of threads, and that of its new threads, is its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        last(tiny(), folder, store, workers=3)
        found = [torch.get_num_threads()]
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert found == [2, 2]
    finally:
        torch.set_num_threads(before)
