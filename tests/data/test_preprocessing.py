"""Preprocessing is a value, and does to the last digit what torchvision does on PIL images."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from icecore.data import ImagePreprocessing, preprocessing_from_file
from icecore.errors import PreprocessingError
from tests.data.files import picture

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(1, 1), (2, 300), (31, 32), (224, 224), (225, 224), (256, 333), (257, 400), (300, 2), (333, 500), (640, 427)]
FILTERS = ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]


def noise(width, height):
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def torchvision_way(t, steps, mean=MEAN, std=STD):
    import torch

    whole = t.Compose([*steps, t.PILToTensor(), t.ConvertImageDtype(torch.float32), t.Normalize(mean, std)])
    return lambda image: whole(image).numpy()


def filter_named(t, name):
    return t.InterpolationMode(name)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size", SIZES)
def test_shortest_edge_and_centre_crop_equal_torchvision(transforms, size, name):
    """Resize to the shortest edge, crop, scale and normalise, for wide, high, odd, tiny and exact sizes."""
    for edge, crop in ((256, (224, 224)), (32, (32, 32)), (33, (20, 27)), (24, (40, 30))):
        ours = ImagePreprocessing(
            resize="shortest", resize_size=edge, crop=crop, interpolation=name, mean=MEAN, std=STD
        )(noise(*size))
        steps = [transforms.Resize(edge, filter_named(transforms, name)), transforms.CenterCrop(crop)]
        theirs = torchvision_way(transforms, steps)(noise(*size))
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_exact_size_equals_torchvision(transforms, size):
    """Resize to a given height and width, the ratio lost."""
    for target in ((224, 224), (20, 31)):
        ours = ImagePreprocessing(resize="exact", resize_size=target, interpolation="bicubic", mean=MEAN, std=STD)
        steps = [transforms.Resize(target, filter_named(transforms, "bicubic"))]
        assert np.abs(ours(noise(*size)) - torchvision_way(transforms, steps)(noise(*size))).max() < 1e-6
        assert ours.shape == (3, *target)


@given(st.tuples(*[st.integers(1, 70)] * 2), st.integers(1, 50), st.tuples(*[st.integers(1, 60)] * 2))
def test_any_size_equals_torchvision(transforms, size, edge, crop):
    """Rounding of the resize, of odd margins and of odd padding agree with torchvision for every size."""
    image = noise(*size)
    ours = ImagePreprocessing(resize="shortest", resize_size=edge, crop=crop, mean=MEAN, std=STD)
    steps = [transforms.Resize(edge), transforms.CenterCrop(crop)]
    assert np.abs(ours(image) - torchvision_way(transforms, steps)(image)).max() < 1e-6


def test_without_geometry_equals_torchvision(transforms):
    """No resize and no crop leave the size alone; every pixel value is normalised as torchvision does."""
    image = Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3))
    for mean, std in ((MEAN, STD), ((0.5,) * 3, (0.5,) * 3), ((0.0,) * 3, (1.0,) * 3)):
        ours = ImagePreprocessing(mean=mean, std=std)
        assert np.abs(ours(image) - torchvision_way(transforms, [], mean, std)(image)).max() < 1e-6
        assert ours.shape is None


def test_real_photographs_equal_torchvision(transforms, photos):
    """The usual ImageNet preprocessing on photographs."""
    ours = ImagePreprocessing(resize="shortest", resize_size=256, crop=(224, 224), mean=MEAN, std=STD)
    theirs = torchvision_way(transforms, [transforms.Resize(256), transforms.CenterCrop(224)])
    for path in photos:
        image = Image.open(path).convert("RGB")
        assert np.abs(ours(image) - theirs(image)).max() < 1e-6, path.name


def test_odd_margins_can_be_cut_as_transformers_does():
    """`floor` takes the smaller half first; torchvision's `round` takes half to even."""
    image = noise(13, 10)
    cut = {how: ImagePreprocessing(crop=(10, 10), crop_rounding=how, scale=1.0)(image) for how in ("round", "floor")}
    whole = ImagePreprocessing(scale=1.0)(image)
    assert np.array_equal(cut["round"], whole[:, :, 2:12])
    assert np.array_equal(cut["floor"], whole[:, :, 1:11])


@pytest.mark.parametrize("size", SIZES)
def test_longest_pad_keeps_the_whole_image_and_its_ratio(size):
    """The image lies in the centre of the box, as large as fits; the rest is the fill colour."""
    prepare = ImagePreprocessing(resize="longest-pad", resize_size=(40, 60), fill=(1, 2, 3), scale=1.0)
    found = prepare(Image.new("RGB", size, (200, 200, 200)))
    assert found.shape == prepare.shape == (3, 40, 60)
    inside = (found == 200).all(0)
    assert ((found == np.array([1, 2, 3])[:, None, None]).all(0) | inside).all()
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert len(rows) == 40 or len(columns) == 60
    assert abs(len(columns) - max(1, len(rows) * size[0] / size[1])) <= max(1, size[0] / size[1], size[1] / size[0])
    assert abs((rows[0] + rows[-1]) - 39) <= 1
    assert abs((columns[0] + columns[-1]) - 59) <= 1


def test_channels_can_be_swapped_last_or_one():
    """BGR order, channels last for TensorFlow, luma for one-channel networks."""
    image = picture(6, 4)
    plain = ImagePreprocessing(scale=1.0)(image)
    assert np.array_equal(ImagePreprocessing(scale=1.0, mode="BGR")(image), plain[::-1])
    assert np.array_equal(ImagePreprocessing(scale=1.0, channels_last=True)(image), plain.transpose(1, 2, 0))
    grey = ImagePreprocessing(scale=1.0, mode="L", mean=(0.0,), std=(1.0,))(image)
    assert np.array_equal(grey[0], np.asarray(image.convert("L")))
    assert ImagePreprocessing(scale=1.0, mode="L", mean=(0.0,), std=(1.0,), channels_last=True)(image).shape == (
        4,
        6,
        1,
    )
    assert ImagePreprocessing(crop=(5, 7), channels_last=True).shape == (5, 7, 3)
    caffe = ImagePreprocessing(scale=1.0, mode="BGR", mean=(103.939, 116.779, 123.68))(image)
    assert np.abs(caffe[0] - (plain[2] - 103.939)).max() < 1e-4


def test_it_is_a_value():
    """Equal fields are equal, hash alike, cannot be changed, and survive JSON."""
    one, two = (ImagePreprocessing(resize="exact", resize_size=32, mean=MEAN, std=STD) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert ImagePreprocessing.model_validate(json.loads(json.dumps(one.value))) == one
    assert one.value["type"] == "image.v1"
    with pytest.raises(ValidationError, match="frozen"):
        one.scale = 2.0
    assert np.array_equal(one(noise(50, 40)), two(noise(50, 40)))
    assert one(noise(50, 40)).flags.c_contiguous


def test_the_image_given_is_left_alone():
    """Preparing an image does not change it."""
    image = picture()
    before = image.copy()
    ImagePreprocessing(resize="longest-pad", resize_size=50, crop=(60, 10), mode="BGR")(image)
    assert np.array_equal(np.asarray(image), np.asarray(before))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"resize": "shortest"}, "resize and resize_size belong together: give both or neither"),
        ({"resize_size": 3}, "resize and resize_size belong together: give both or neither"),
        (
            {"resize": "shortest", "resize_size": [3, 4]},
            "resize_size is one number of pixels when resize is 'shortest'",
        ),
        ({"mean": [0.5, 0.5]}, "mean holds one number, or one for each of the 3 channels"),
        ({"mode": "L", "mean": [0.5], "std": [1, 1, 1]}, "std holds one number, or one for each of the 1 channels"),
        ({"std": [1, 0, 1]}, "scale and the numbers of std must not be 0"),
        ({"crop": [0, 3]}, "crop.0: Input should be greater than 0"),
        ({"interpolation": "cubic"}, "interpolation: Input should be 'nearest', 'bilinear'"),
        ({"size": 3}, "size: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_is_told_field_by_field(tmp_path, fields, text):
    """The error names the file, each wrong field, and the fields that there are."""
    path = tmp_path / "preprocess.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(PreprocessingError) as caught:
        preprocessing_from_file(path)
    assert str(path) in str(caught.value)
    assert text in str(caught.value)
    assert "Fields are type, resize, resize_size, crop, crop_rounding, fill, interpolation" in str(caught.value)


def test_a_file_is_read_or_its_problem_told(tmp_path):
    """A good file gives the value; a missing one and one that is no JSON are errors that say so."""
    path = tmp_path / "preprocess.json"
    wanted = ImagePreprocessing(resize="shortest", resize_size=256, crop=(224, 224), mean=MEAN, std=STD)
    path.write_text(json.dumps(wanted.value))
    assert preprocessing_from_file(path) == wanted
    path.write_text("{resize: 3")
    with pytest.raises(
        PreprocessingError, match=r"is not JSON: Expecting property name .* One JSON object with fields\."
    ):
        preprocessing_from_file(path)
    with pytest.raises(PreprocessingError, match=r"cannot be read: No such file or directory\. Check the path\."):
        preprocessing_from_file(tmp_path / "none.json")
