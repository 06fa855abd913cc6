"""Pooling: by the axes that a layer declares, never by guessing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from icecore.backbones import Layer
from icecore.backbones.axes import axes_of
from icecore.errors import LayerError, UsageError
from icecore.prefix import POOLINGS, canonical_pooling, pool

MAPS = Layer("maps", (4, 6, 5), ("channels", "height", "width"))
LAST = Layer("last", (6, 5, 4), ("height", "width", "channels"))
TOKENS = Layer("tokens", (9, 4), ("tokens", "channels"), prefix_tokens=2)
FRAMES = Layer("frames", (4, 9), ("channels", "frames"))
VECTOR = Layer("vector", (4,), ("channels",))
OTHER = Layer("other", (2, 3, 4, 5), ("axis0", "axis1", "axis2", "axis3"))


def values(layer: Layer, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(3, *layer.shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def test_places_are_pooled_over():
    """Height and width wherever they stand, frames, and those tokens that are places."""
    x = values(MAPS)
    torch.testing.assert_close(pool(MAPS, x, "mean"), x.mean((2, 3)))
    torch.testing.assert_close(pool(MAPS, x, "max"), x.amax((2, 3)))
    x = values(LAST)
    torch.testing.assert_close(pool(LAST, x, "mean"), x.mean((1, 2)))
    torch.testing.assert_close(pool(LAST, x, "max"), x.amax((1, 2)))
    x = values(FRAMES)
    torch.testing.assert_close(pool(FRAMES, x, "mean"), x.mean(2))
    x = values(TOKENS)
    torch.testing.assert_close(pool(TOKENS, x, "mean"), x[:, 2:].mean(1))
    torch.testing.assert_close(pool(TOKENS, x, "max"), x[:, 2:].amax(1))
    torch.testing.assert_close(pool(TOKENS, x, "cls"), x[:, 0])
    torch.testing.assert_close(pool(TOKENS, x, "last-token"), x[:, -1])


def test_generalised_mean():
    """The cube root of the mean cube of what is positive (Radenović et al. 2018)."""
    x = values(MAPS)
    expected = x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
    torch.testing.assert_close(pool(MAPS, x, "gem"), expected)


def test_everything_is_kept():
    """`flatten` makes one vector an item, `none` keeps the shape."""
    x = values(OTHER)
    assert torch.equal(pool(OTHER, x, "flatten"), x.flatten(1))
    assert torch.equal(pool(OTHER, x, "none"), x)


def test_a_grid_has_the_mean_of_each_part():
    """Quarters of an image, whichever way its axes stand; fourths of frames and of tokens that are places."""
    even = Layer("even", (4, 6, 8), ("channels", "height", "width"))
    x = values(even)
    expected = x.reshape(3, 4, 2, 3, 2, 4).mean((3, 5)).flatten(1)
    torch.testing.assert_close(pool(even, x, "grid"), expected)
    turned = Layer("turned", (6, 8, 4), ("height", "width", "channels"))
    torch.testing.assert_close(pool(turned, x.permute(0, 2, 3, 1), "grid"), expected)
    frames = Layer("frames", (4, 8), ("channels", "frames"))
    torch.testing.assert_close(pool(frames, x[:, :, 0], "grid"), x[:, :, 0].reshape(3, 4, 4, 2).mean(3).flatten(1))
    tokens = Layer("tokens", (9, 4), ("tokens", "channels"), prefix_tokens=1)
    value = values(tokens)
    places = value[:, 1:].transpose(1, 2).reshape(3, 4, 4, 2).mean(3).flatten(1)
    torch.testing.assert_close(pool(tokens, value, "grid"), places)


def test_a_thumbnail_is_an_image_made_small():
    """16 x 16 averages for each channel, whichever way the axes stand."""
    layer = Layer("input", (3, 32, 48), ("channels", "height", "width"))
    x = values(layer)
    expected = x.reshape(3, 3, 16, 2, 16, 3).mean((3, 5)).flatten(1)
    torch.testing.assert_close(pool(layer, x, "thumbnail"), expected)
    turned = Layer("input", (32, 48, 3), ("height", "width", "channels"))
    torch.testing.assert_close(pool(turned, x.permute(0, 2, 3, 1), "thumbnail"), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_result_is_float32(dtype, pooling):
    """Whatever float the network computes in, averages are taken and kept in float32."""
    layer = TOKENS if pooling in ("cls", "last-token") else MAPS
    assert pool(layer, values(layer, dtype), pooling).dtype == torch.float32


def test_a_sum_that_float16_cannot_hold():
    """A mean over many half-precision numbers does not overflow on its way."""
    layer = Layer("maps", (1, 300, 300), ("channels", "height", "width"))
    assert pool(layer, torch.full((1, 1, 300, 300), 60_000.0, dtype=torch.float16), "mean") == pytest.approx(
        60_000, 1e-3
    )


@given(st.sampled_from([MAPS, LAST, TOKENS, FRAMES]), st.sampled_from(["mean", "max", "gem"]))
def test_pooled_vectors_have_the_channels(layer, pooling):
    """(n, channels) for every layer whose channels are known; a value that is the same everywhere stays it."""
    channels = layer.shape[layer.axes.index("channels")]
    found = pool(layer, torch.full((2, *layer.shape), 0.5), pooling)
    assert found.shape == (2, channels)
    torch.testing.assert_close(found, torch.full((2, channels), 0.5))


def test_names_are_made_one():
    """Aliases resolve, and on a vector every pooling is `none`, so that it has one key."""
    assert canonical_pooling(MAPS, "avg") == canonical_pooling(MAPS, "average") == "mean"
    assert {canonical_pooling(VECTOR, pooling) for pooling in POOLINGS} == {"none"}


@pytest.mark.parametrize(
    ("layer", "pooling", "says"),
    [
        (MAPS, "cls", r"axes channels, height, width, so pooling 'cls' has no token to take\. Use mean"),
        (FRAMES, "last-token", "has no token to take"),
        (Layer("t", (9, 4), ("tokens", "channels")), "cls", "has no class token"),
        (OTHER, "mean", r"not known which axis of the layer other, of shape \(2, 3, 4, 5\), holds the channels"),
        (TOKENS, "thumbnail", "is no image: its axes are tokens, channels"),
    ],
)
def test_poolings_that_a_layer_has_not_the_axes_for(layer, pooling, says):
    """Refused before anything is computed, with what would do."""
    with pytest.raises(LayerError, match=says):
        canonical_pooling(layer, pooling)


def test_an_unknown_pooling():
    """The known ones are listed."""
    with pytest.raises(UsageError, match=r"There is no pooling 'median'\. Known are mean, max, gem, cls"):
        canonical_pooling(MAPS, "median")


AXES = {
    ((512, 7, 7), (224, 224)): "channels height width",
    ((7, 7, 512), (224, 224)): "height width channels",
    ((64, 56, 42), (224, 168)): "channels height width",
    ((56, 42, 64), (224, 168)): "height width channels",
    ((7, 7, 7), (224, 224)): "channels height width",
    ((197, 768), (224, 224)): "tokens channels",
    ((10,), (224, 224)): "channels",
    ((2, 3, 4, 5), (224, 224)): "axis0 axis1 axis2 axis3",
}


@pytest.mark.parametrize("case", AXES)
def test_axes_are_read_from_shapes(case):
    """By the ratio of the input, which height and width keep and channels seldom have."""
    shape, size = case
    assert axes_of(shape, None, size) == tuple(AXES[case].split())


@pytest.mark.parametrize("ratio", [(224, 224), (192, 256)])
def test_the_module_decides_where_the_shape_cannot(ratio):
    """A convolution puts channels first, a linear layer last."""
    assert axes_of((7, 7, 7), torch.nn.Conv2d(3, 7, 1), ratio)[0] == "channels"
    assert axes_of((9, 5, 5), torch.nn.BatchNorm2d(9), ratio)[0] == "channels"
    assert axes_of((16, 40), torch.nn.Conv1d(3, 16, 1), ratio) == ("channels", "frames")
