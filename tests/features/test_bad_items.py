"""Items that cannot be used are set aside with row and reason; odd ones that can be used are used."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icecore.backbones import Extractor
from icecore.data import Dataset, Item, read
from icecore.errors import BadItemsError
from icecore.features import Silent, bad_items_error, extract
from icecore.prefix import columns_of
from icecore.store import Store
from tests.data.files import bomb, encoded, picture, png16
from tests.features.photos import pixels, write_photos

NAMES = ["a b.png", "it's.png", 'say "x".png', "two\nlines.png", "träd 木 🌲.png", "100%.png", "-dash.png", "#1?.png"]


def last(backbone: Extractor, data: object, store: Store, **options: object):
    dataset = data if isinstance(data, Dataset) else read(data)
    return extract(backbone, dataset, columns_of(backbone, "last"), store=store, **options)


def reasons(features) -> dict[int, str]:
    return {item.row: item.reason for item in features.bad}


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Good photographs with a bad file after each."""
    good = write_photos(tmp_path / "mixed", range(6))
    bad = {
        "truncated.jpg": encoded(picture(200, 200), "JPEG")[:900],
        "empty.jpg": b"",
        "text.jpg": b"Dear diary, no photo today.",
        "bomb.png": bomb(),
        "gone.png": None,
    }
    paths = []
    for path, (name, content) in zip(good, bad.items(), strict=False):
        aside = tmp_path / "mixed" / name
        if content is not None:
            aside.write_bytes(content)
        paths += [path, aside]
    return [*paths, good[-1]]


def as_given(paths: list[Path]) -> Dataset:
    """A data set that has not looked whether its files are there."""
    return Dataset("list", [Item(row, path.name, "file", path) for row, path in enumerate(paths)])


def test_bad_files_are_set_aside_with_row_and_reason(backbone: Extractor, mixed: list[Path], store: Store):
    """Truncated, empty, no image, a bomb, missing: each says what it is, and the others keep row and value."""
    features = last(backbone, as_given(mixed), store, batch_size=2)
    found = reasons(features)
    assert [item.input for item in features.bad] == ["truncated.jpg", "empty.jpg", "text.jpg", "bomb.png", "gone.png"]
    assert list(found) == [1, 3, 5, 7, 9]
    assert found[1] == "the image is truncated"
    assert found[3] == "the file is empty"
    assert found[5].startswith("not an image: starts with b'Dear diary")
    assert found[7].startswith("30000 x 30000 pixels is more than 178,956,970")
    assert found[9] == "no such file"
    assert [item.row for item in features.dataset.inputs] == [0, 2, 4, 6, 8, 10]
    alone = last(backbone, [pixels(seed) for seed in range(6)], store)
    np.testing.assert_allclose(features.read(), alone.read(), rtol=1e-5, atol=1e-6)


def test_bad_files_are_tried_again_and_good_ones_are_not(backbone: Extractor, mixed: list[Path], store: Store):
    """A second run computes nothing and reports the same; a file that has been mended is computed then."""
    first = last(backbone, as_given(mixed), store)
    again = last(backbone, as_given(mixed), store)
    assert (again.report.computed, again.report.reused) == (0, 6)
    assert again.bad == first.bad
    mixed[3].write_bytes(encoded(picture(seed=5)))
    mended = last(backbone, as_given(mixed), store)
    assert (mended.report.computed, list(reasons(mended))) == (1, [1, 5, 7, 9])


def test_equal_bad_files_are_all_reported(backbone: Extractor, tmp_path: Path, store: Store):
    """Two empty files share a row key, and each is listed under its own row."""
    paths = write_photos(tmp_path, range(1))
    for name in ("x.png", "y.png"):
        (tmp_path / name).write_bytes(b"")
        paths.append(tmp_path / name)
    assert reasons(last(backbone, as_given(paths), store)) == {1: "the file is empty", 2: "the file is empty"}


def test_only_bad_items_give_no_rows(backbone: Extractor, tmp_path: Path, store: Store):
    """Where nothing can be used there are no features, and every item is listed."""
    (tmp_path / "x.png").write_bytes(b"")
    features = last(backbone, as_given([tmp_path / "x.png"]), store)
    assert (len(features), len(features.read()), reasons(features)) == (0, 0, {0: "the file is empty"})


def test_strict_makes_bad_items_an_error(backbone: Extractor, mixed: list[Path], store: Store):
    """The error counts them and lists the first; what was computed is kept."""
    with pytest.raises(BadItemsError) as caught:
        last(backbone, as_given(mixed), store, strict=True)
    assert str(caught.value).startswith("5 items cannot be used: row 1 (truncated.jpg): the image is truncated; row 3")
    assert str(caught.value).endswith("Mend or remove them, or leave strictness out to set them aside.")
    good = [path for path in mixed if path.suffix == ".png" and path.name[0] == "0"]
    assert last(backbone, as_given(good), store, strict=True).report.computed == 0


def test_the_error_for_bad_items_is_short(backbone: Extractor, mixed: list[Path], store: Store):
    """One item is one item; of many, five are shown and the others counted."""
    bad = last(backbone, as_given(mixed), store).bad
    assert str(bad_items_error(bad[1:2])).startswith("1 item cannot be used: row 3 (empty.jpg): the file is empty. ")
    assert "; and 1,002 more. " in str(bad_items_error(bad * 201 + bad[:2]))


@pytest.mark.parametrize("copies", [1, 40])
def test_a_file_that_changes_after_it_was_hashed_is_set_aside(
    backbone: Extractor, tmp_path: Path, store: Store, copies: int
):
    """What is stored under a row key is computed from the bytes that have this key, or not at all."""
    paths = write_photos(tmp_path / "photos", range(copies + 1))

    class Rewriting:
        """Progress during which the last file is rewritten, after hashing and before it is decoded."""

        def task(self, label: str, total: int):
            if label == "extracting":
                Image.fromarray(pixels(99)).save(paths[-1])
            return Silent().task(label, total)

    features = last(backbone, as_given(paths), store, batch_size=1, workers=1, progress=Rewriting())
    assert reasons(features) == {copies: "the file changed while it was being read"}
    assert last(backbone, [pixels(99)], store).report.computed == 1
    again = last(backbone, as_given(paths), store)
    assert (again.report.computed, again.bad) == (1, ())
    np.testing.assert_allclose(again.read()[-1], last(backbone, [pixels(99)], store).read()[0], rtol=1e-5, atol=1e-6)


def test_odd_images_are_used(backbone: Extractor, tmp_path: Path, store: Store):
    """CMYK JPEG, 16-bit PNG, animated GIF, greyscale, palette with transparency."""
    wide = np.linspace(0, 65535, 20 * 30).reshape(20, 30).astype(np.uint16)
    files = {
        "cmyk.jpg": encoded(picture().convert("CMYK"), "JPEG"),
        "deep.png": png16(wide, 0),
        "moving.gif": encoded(picture(), "GIF", save_all=True, append_images=[picture(seed=3)], duration=50),
        "grey.png": encoded(picture().convert("L")),
        "palette.png": encoded(picture().convert("P"), transparency=0),
    }
    paths = [tmp_path / name for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    features = last(backbone, as_given(paths), store, strict=True)
    assert features.read().shape == (5, 6)
    assert len(np.unique(features.read().round(5), axis=0)) == 5


def test_names_of_any_kind(backbone: Extractor, tmp_path: Path, store: Store):
    """Spaces, quotes, newlines, Unicode and bytes that are no UTF-8 are names like others."""
    names = [*NAMES, os.fsdecode(b"latin \xe9.png")]
    folder = tmp_path / "odd names"
    folder.mkdir()
    for seed, name in enumerate(names):
        try:
            Image.fromarray(pixels(seed)).save(folder / name)
        except OSError:
            pytest.skip(f"this file system has no name {name!r}")
    features = last(backbone, folder, store, strict=True)
    assert features.report.computed == len(names)
    by_name = {item.value.name: value for item, value in zip(features.dataset.inputs, features.read(), strict=True)}
    assert set(by_name) == set(names)
    alone = last(backbone, [pixels(seed) for seed in range(len(names))], store).read()
    np.testing.assert_allclose([by_name[name] for name in names], alone, rtol=1e-5, atol=1e-6)
    assert last(backbone, folder, store).report.computed == 0
