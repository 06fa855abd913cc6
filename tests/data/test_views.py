"""Numbered views: the same item, policy and number give the same view, everywhere."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from icecore.data import IMAGE, SOUND, Sound, View, views_of
from icecore.errors import UsageError
from tests.sounds import sound


def image(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def content(decoded) -> bytes:
    return decoded.samples.tobytes() if isinstance(decoded, Sound) else decoded.tobytes() + str(decoded.size).encode()


IMAGES = st.builds(image, st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
SOUNDS = st.builds(Sound, st.integers(1, 400).map(lambda n: np.float32(np.sin(np.arange(n)))), st.just(8000))
ITEMS = st.one_of(st.tuples(st.just("image.v1"), IMAGES), st.tuples(st.just("sound.v1"), SOUNDS))


@given(ITEMS, st.integers(0, 1000))
@settings(max_examples=60)
def test_a_view_is_a_pure_function(item, number):
    """Called again, in another order, on a copy: the same; and the item itself is not touched."""
    policy, decoded = item
    before, view = content(decoded), View(policy, number)
    first = content(view(decoded))
    View(policy, number + 1)(decoded)
    assert content(View(policy, number)(decoded)) == first
    assert content(decoded) == before


@given(ITEMS)
@settings(max_examples=30)
def test_the_first_view_is_the_item_itself(item):
    """View 0 is what came, the very object."""
    policy, decoded = item
    assert View(policy, 0)(decoded) is decoded


@given(IMAGES, st.integers(1, 50))
@settings(max_examples=60)
def test_a_view_of_an_image_is_a_part_of_it(picture, number):
    """RGB, no larger than the picture, and about half of it at least."""
    part = View("image.v1", number)(picture)
    assert part.mode == "RGB"
    assert all(1 <= a <= b for a, b in zip(part.size, picture.size, strict=True))
    if min(picture.size) >= 20:
        assert part.size[0] * part.size[1] > 0.35 * picture.size[0] * picture.size[1]


@given(SOUNDS, st.integers(1, 50))
@settings(max_examples=40)
def test_a_view_of_a_sound_is_as_long(clip, number):
    """As many samples at the same rate, float32, no louder than by 6 dB and a little noise."""
    found = View("sound.v1", number)(clip)
    assert (len(found.samples), found.rate, found.samples.dtype) == (len(clip.samples), clip.rate, np.float32)
    power, limit = np.sqrt(np.mean(found.samples**2)), 2.0 * 1.1 * np.sqrt(np.mean(clip.samples**2))
    assert power <= limit + 1e-6


@pytest.mark.parametrize(("policy", "item"), [("image.v1", image(32, 32, 0)), ("sound.v1", sound())])
def test_numbers_and_items_give_different_views(policy, item):
    """Twenty views of an item are twenty; of another item the same number draws otherwise."""
    assert len({content(View(policy, number)(item)) for number in range(20)}) == 20
    crops = {View("image.v1", 3)(image(64, 48, seed)).size for seed in range(12)}
    assert len(crops) > 6


def test_another_process_draws_the_same():
    """Nothing of this process is in a view."""
    code = (
        "import numpy as np, zlib\nfrom PIL import Image\nfrom icecore.data import View\n"
        "x = Image.fromarray(np.arange(3072, dtype=np.uint8).reshape(32, 32, 3))\n"
        "print(zlib.crc32(View('image.v1', 7)(x).tobytes()))"
    )
    names: set[str] = set()
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
        names.add(done.stdout)
    assert len(names) == 1


@pytest.mark.parametrize("modality", [IMAGE.name, SOUND.name])
def test_views_are_numbered_from_the_item(modality):
    """So many, the first of which is the item; every one has a value of its own, which is part of the key."""
    found = views_of(modality, 4)
    assert [view.number for view in found] == [0, 1, 2, 3]
    assert len({str(view.value) for view in found}) == 4


def test_other_modalities_have_one_view():
    """Texts have none but themselves; more are an error that says so."""
    (only,) = views_of("text", 1)
    assert only("as it is") == "as it is"
    with pytest.raises(
        UsageError, match="2 views of each item were asked for, and there are none of the modality text"
    ):
        views_of("text", 2)
