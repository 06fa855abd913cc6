"""Pairs of an image and a text: each half is computed once, whatever it comes with, and read beside the other."""

from collections import Counter

import numpy as np
import pytest

from icecore.backbones import JoinedBackbone, load
from icecore.data import Dataset, read
from icecore.data import load as decoded
from icecore.errors import BadItemsError
from icecore.features import Features, extract
from icecore.prefix import blocks, columns_of, raw_columns
from icecore.store import Store
from tests.features.photos import write_photos
from tests.towers import write_towers

TEXTS = ["a photo", "the red cat", "one dog", "two", "blue square"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_towers("clip", tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture
def photos(tmp_path):
    return [str(path) for path in write_photos(tmp_path / "photos", range(3))]


class Counted:
    """A network for images, texts or both, which counts what goes through each tower."""

    def __init__(self, folder, wanted: str) -> None:
        self.net = load(f"hf:{folder}?input={wanted}", device="cpu")
        self.net.layers()
        self.seen: Counter[str] = Counter()
        parts = self.net.parts if isinstance(self.net, JoinedBackbone) else {wanted: self.net}
        for name, part in parts.items():
            part.module.register_forward_pre_hook(self._count(name), with_kwargs=True)

    def _count(self, name):
        return lambda _module, args, kwargs: self.seen.update({name: len(next(iter([*args, *kwargs.values()])))})

    def __call__(self, data: object, store: Store, layers: object = "last", **options: object) -> Features:
        self.seen.clear()
        dataset = data if isinstance(data, Dataset) else read(data, modality=self.net.modality)
        return extract(self.net, dataset, columns_of(self.net, layers), store=store, **options)


def counts(features: Features) -> tuple[int, int]:
    return features.report.computed, features.report.reused


def captioned(photos):
    """Three images with five texts each, and the last pair once more."""
    pairs = [(photo, text) for photo in photos for text in TEXTS]
    return [*pairs, pairs[-1]]


def test_each_half_is_computed_once(clip, photos, store):
    """Three images with five texts each are three and five forwards, and fifteen pairs; the second run is none."""
    both = Counted(clip, "image+text")
    features = both(captioned(photos), store, batch_size=4)
    assert both.seen == {"image": 3, "text": 5}
    assert counts(features) == (15, 1)
    assert {name: part.computed for name, part in features.parts.items()} == {"image": 3, "text": 5}
    for again in (store, Store(store.root)):
        assert counts(both(captioned(photos), again)) == (0, 16)
        assert not both.seen
    assert counts(both([(photos[0], "another text"), (photos[1], "two")], store)) == (1, 1)
    assert both.seen == {"text": 1}


def test_values_are_those_of_the_network(clip, photos, store):
    """`last`, the layers of the halves and the input itself are what the joined network gives each pair alone."""
    net = load(f"hf:{clip}?input=image+text", device="cpu")
    dataset = read(captioned(photos), modality="image+text")
    columns = [*raw_columns(net), *columns_of(net, [blocks(net)[0], "text.last", "last"])]
    features = extract(net, dataset, columns, store=store, batch_size=3)
    for i in (0, 7, 15):
        pair = decoded(dataset.inputs[i], "image+text")[1]
        alone = net.run([net.prepare(pair)], ["text.last", "last", "input"], lambda _layer, value: value)
        for layer, value in alone.items():
            np.testing.assert_allclose(features.read(layer)[i], value[0].numpy(), rtol=1e-4, atol=1e-5)
    assert features.read(blocks(net)[0]).shape == (16, 32)
    assert features.take(np.array([15, 0])).read("last").shape == (2, 48)


def test_halves_are_shared_with_runs_of_one_kind(clip, photos, store):
    """What `?input=image` and `?input=text` have computed the pairs read, and the other way round."""
    image, text, both = (Counted(clip, wanted) for wanted in ("image", "text", "image+text"))
    alone = image(photos, store).read()
    pairs = both(captioned(photos), store)
    assert both.seen == {"text": 5}
    np.testing.assert_array_equal(pairs.read()[:, :24], np.repeat(alone, 5, axis=0)[[*range(15), 14]])
    assert counts(text(TEXTS, store)) == (0, 5)
    assert not text.seen
    assert len(store.tables()) == 2  # a folder for each tower, none for both


def test_a_layer_of_one_half_leaves_the_other_alone(clip, photos, store):
    """Only the network that is asked runs."""
    both = Counted(clip, "image+text")
    assert both(captioned(photos), store, "image.last").read().shape == (16, 24)
    assert both.seen == {"image": 3}


def test_a_pair_with_a_bad_half_is_set_aside(clip, photos, tmp_path, store):
    """With the half that is bad named, in its row; its other half is of use elsewhere. Strict, it is an error."""
    (tmp_path / "no.png").write_bytes(b"Dear diary")
    pairs = [(photos[0], "a"), (str(tmp_path / "no.png"), "b"), (photos[1], ""), ("gone.png", "c"), (photos[1], "b")]
    both = Counted(clip, "image+text")
    features = both(pairs, store)
    assert [(bad.row, bad.reason) for bad in features.bad] == [
        *((1, "image: not an image: starts with b'Dear diary'"), (2, "no text")),
        (3, "image: no such file"),
    ]
    assert [item.row for item in features.dataset.inputs] == [0, 4]
    assert (len(features.read()), counts(features)) == (2, (2, 0))
    assert both.seen == {"image": 2, "text": 2}
    with pytest.raises(BadItemsError, match=r"row 1 \(.*no\.png \+ b\): image: not an image"):
        both(pairs, store, strict=True)


def test_texts_that_are_cut_are_counted_as_texts(clip, photos, store):
    """Of the texts computed now, not of the pairs that they are in."""
    features = Counted(clip, "image+text")([(photo, "a" * 50) for photo in photos], store)
    assert [*features.report.remarks.values()] == [1]
    assert any("1 of the 1 texts computed now (100.0%)" in note for note in features.notes)


def test_pairs_of_one_image_belong_together(clip, photos, store):
    """Five texts do not make five images of one: such pairs must not straddle a split."""
    features = Counted(clip, "image+text")(captioned(photos), store)
    assert [features.origins.index(origin) for origin in features.origins] == [*[0] * 5, *[5] * 5, *[10] * 6]
