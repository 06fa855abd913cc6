"""Every kind of image file comes out as the RGB that a person sees, or with a reason that a person understands."""

import io
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from icecore.data import decode_image
from icecore.errors import BadItemError
from tests.data.files import bomb, cmyk_profile, distance, encoded, picture, png, png16, sideways

LOSSLESS = ("PNG", "WEBP", "TIFF")


def reason(raw):
    with pytest.raises(BadItemError) as caught:
        decode_image(raw)
    return str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", *LOSSLESS])
def test_every_exif_orientation_comes_out_upright(orientation, form):
    """A picture that a camera stored turned or mirrored equals the upright one, whatever the format."""
    upright = picture()
    stored, exif = sideways(upright, orientation)
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
    found = decode_image(encoded(stored, form, exif=exif, **options))
    assert found.mode == "RGB"
    assert distance(found, upright) < (2 if form == "JPEG" else 0.01)


def test_a_pil_image_with_an_orientation_comes_out_upright_and_is_left_as_it_is():
    """An image opened by the user is turned in the result only."""
    upright = picture()
    stored, exif = sideways(upright, 6)
    opened = Image.open(io.BytesIO(encoded(stored, "PNG", exif=exif)))
    assert distance(decode_image(opened), upright) == 0
    assert opened.size == stored.size


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "LAB", "PA", "RGBX", "RGBa", "La"]
)
def test_every_pillow_mode_becomes_rgb(mode):
    """A white picture is white and a black one black in every mode."""
    for level in (0, 255):
        grey = Image.new("L", (5, 4), level)
        image = {
            "LAB": lambda grey=grey: Image.merge("LAB", [grey, *[Image.new("L", grey.size, 128)] * 2]),
            "HSV": lambda grey=grey: Image.merge("HSV", [*[Image.new("L", grey.size, 0)] * 2, grey]),
            "RGBa": lambda grey=grey: grey.convert("RGBA").convert("RGBa"),
            "La": lambda grey=grey: grey.convert("LA").convert("La"),
            "PA": lambda grey=grey: grey.convert("P").convert("PA"),
        }.get(mode, lambda grey=grey: grey.convert("RGB").convert(mode))()
        assert image.mode == mode
        found = decode_image(image)
        assert found.mode == "RGB"
        assert distance(found, grey.convert("RGB")) <= 4


def test_transparent_parts_are_white():
    """RGBA, grey with alpha, palette with a transparent colour and a transparent RGB colour all show the page."""
    clear = Image.new("RGBA", (4, 4), (10, 200, 30, 0))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 127))
    grey = Image.new("LA", (4, 4), (0, 0))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    assert decode_image(encoded(clear)).getpixel((0, 0)) == (255, 255, 255)
    assert decode_image(encoded(half)).getpixel((0, 0)) == (128, 128, 128)
    assert decode_image(encoded(grey)).getpixel((0, 0)) == (255, 255, 255)
    assert decode_image(encoded(palette)).getpixel((0, 0)) == (0, 255, 0)
    assert decode_image(encoded(palette, transparency=1)).getpixel((0, 0)) == (255, 255, 255)
    assert decode_image(encoded(palette, transparency=bytes([255, 128]))).getpixel((0, 0)) == (127, 255, 127)
    assert (
        decode_image(encoded(Image.new("RGB", (4, 4), "red"), transparency=(255, 0, 0))).getpixel((0, 0)) == (255,) * 3
    )
    assert decode_image(encoded(palette, "GIF", transparency=1)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_to_eight():
    """16-bit greys and colours keep their tones: neither black nor clipped."""
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    wanted = np.rint(ramp / 257)
    grey = np.asarray(decode_image(png16(ramp, colour=0)), np.float64)
    assert np.abs(grey - wanted[..., None]).max() == 0
    colour = np.asarray(decode_image(png16(np.stack([ramp, ramp.T, ramp], -1), colour=2)), np.float64)
    assert np.abs(colour - np.stack([wanted, wanted.T, wanted], -1)).max() <= 1
    alpha = np.stack([ramp, np.full_like(ramp, 65535)], -1)
    assert np.abs(np.asarray(decode_image(png16(alpha, colour=4)), np.float64) - wanted[..., None]).max() <= 1
    for form in ("I;16", "I;16B"):
        tiff = encoded(
            Image.frombytes(form, (8, 8), ramp.astype(">u2" if form == "I;16B" else "<u2").tobytes()), "TIFF"
        )
        assert np.abs(np.asarray(decode_image(tiff), np.float64) - wanted[..., None]).max() == 0


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0, 65535]], np.int32), [0, 255]),
        (np.array([[-1000, 1000]], np.int32), [0, 255]),
        (np.array([[0, 1_000_000]], np.int32), [0, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
        (np.array([[-5, 0, 5]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 1]], np.float32), [0, 0, 255]),
        (np.array([[7, 7]], np.float32), [7, 7]),
        (np.array([[-7, -7]], np.float32), [0, 0]),
    ],
)
def test_32_bit_greys_are_shown_as_greys(values, wanted):
    """Integers are 16-bit where they fit, floats 0 to 1 or 0 to 255; other ranges are stretched; NaN is black."""
    found = decode_image(encoded(Image.fromarray(values), "TIFF"))
    assert np.asarray(found)[0, :, 0].tolist() == wanted


def test_a_cmyk_jpeg_keeps_its_colours():
    """Four-channel JPEG, inverted as Adobe writes it, comes out in its colours."""
    image = Image.new("RGB", (16, 16), (220, 40, 30)).convert("CMYK")
    red, green, blue = decode_image(encoded(image, "JPEG", quality=95)).getpixel((8, 8))
    assert red > 200
    assert max(green, blue) < 60


def test_the_colour_profile_of_a_cmyk_image_is_used():
    """An embedded profile decides about print colours; one for other modes, or a damaged one, stops nothing."""
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red, green, _ = decode_image(encoded(image, "JPEG", icc_profile=cmyk_profile())).getpixel((8, 8))
    assert green > red + 50
    plain = decode_image(encoded(image, "JPEG"))
    wrong = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (wrong, b"not a profile"):
        assert distance(decode_image(encoded(image, "JPEG", icc_profile=profile)), plain) == 0


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(form):
    """Animated GIF, WebP and PNG are their first frame."""
    first, *others = (Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue"))
    raw = encoded(first, form, save_all=True, append_images=others, duration=50)
    assert Image.open(io.BytesIO(raw)).n_frames == 3
    assert distance(decode_image(raw), first) < 2


def test_a_user_may_choose_another_frame():
    """A PIL image is taken as it stands: at the frame that it was moved to."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    opened = Image.open(io.BytesIO(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])))
    opened.seek(1)
    assert decode_image(opened).getpixel((0, 0)) == (0, 128, 0)


def test_a_bomb_is_refused_from_its_header():
    """A file of a few hundred KB that claims 30,000 x 30,000 pixels is refused before its pixels are unpacked."""
    raw = bomb()
    assert len(raw) < 1_000_000
    start = time.perf_counter()
    assert reason(raw) == "30000 x 30000 pixels is more than 178,956,970, the most that is decoded"
    assert time.perf_counter() - start < 1
    assert reason(Image.new("1", (20_000, 20_000))).startswith("20000 x 20000 pixels is more than")


def test_a_thread_is_refused():
    """An image that is nothing but long would fill the memory when its short edge is resized."""
    assert reason(Image.new("L", (1, 2_000))) == "1 x 2000 pixels is too thin: one edge is over 500 times the other"
    assert decode_image(Image.new("L", (1, 500))).size == (1, 500)


def test_a_lower_limit_of_the_users_holds(monkeypatch):
    """Who told Pillow to accept less gets a reason that says so."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert reason(encoded(picture())) == "more pixels than Pillow was told to accept (Image.MAX_IMAGE_PIXELS)"


def test_a_large_picture_below_the_limit_is_decoded_without_a_warning():
    """Pillow warns from 89 million pixels; that warning does not leak, and the picture is read."""
    rows = zlib.compress(bytes(1 + (9_500 + 7) // 8) * 9_500, 1)
    assert decode_image(png(9_500, 9_500, 1, 0, compressed=rows)).size == (9_500, 9_500)


def test_damaged_files_have_reasons_that_people_understand():
    """Empty, truncated, cut off in the header, no image at all."""
    jpeg, whole = encoded(picture(200, 200), "JPEG"), encoded(picture(200, 200))
    assert reason(b"") == "the file is empty"
    assert reason(jpeg[: len(jpeg) // 2]) == "the image is truncated"
    assert reason(whole[: len(whole) // 2]) == "the image is truncated"
    assert reason(jpeg[:4]) == "the image is damaged or cut off: it starts like a JPEG, and its header cannot be read"
    assert reason(encoded(picture(), "WEBP")[:14]).startswith("the image is damaged or cut off: it starts like a WebP")
    assert reason(b"\x89PNG\r\n\x1a\n" + bytes(30)).startswith("the image is damaged")
    assert reason(Image.new("RGB", (0, 5))) == "the image has no pixels: 0 x 5"
    assert reason(b"hello, I am a text") == "not an image: starts with b'hello, I am a te'"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").startswith("not an image: starts with b'%!PS")
    assert reason(b"RIFF\x24\0\0\0WAVEfmt ") == "not an image: starts with b'RIFF$\\x00\\x00\\x00WAVEfmt '"
    assert reason(b"\0\0\0\x18ftypheic\0\0\0\0").startswith("a HEIC photo, which needs the package pillow-heif")


def test_damaged_exif_does_not_cost_the_picture():
    """A picture whose EXIF cannot be read is shown as it is stored."""
    assert decode_image(_with_damaged_exif()).size == (24, 16)


@settings(max_examples=60)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"P6 "])
)
def test_any_bytes_give_a_picture_or_a_reason(tail, start):
    """No bytes whatever raise anything but BadItemError, nor let a warning through."""
    _picture_or_reason(start + tail)


@settings(max_examples=80)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM"]), st.data())
def test_damage_anywhere_in_a_file_gives_a_picture_or_a_reason(form, data):
    """Bytes changed and the end cut off at random places."""
    raw = bytearray(encoded(picture(), form))
    for _ in range(data.draw(st.integers(0, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    _picture_or_reason(bytes(raw[: data.draw(st.integers(1, len(raw)))]))


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(LOSSLESS), st.integers(0, 2**32 - 1))
def test_what_a_lossless_file_holds_is_what_comes_out(width, height, form, seed):
    """Decoding is the inverse of encoding, pixel by pixel."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(np.asarray(decode_image(encoded(Image.fromarray(pixels), form, **options))), pixels)


def test_arrays_are_images():
    """uint8 and floats from 0 to 1; grey, colour, alpha; channels last, or first where that is clear."""
    pixels = np.asarray(picture(20, 10))
    for array in (pixels, pixels / 255, pixels.astype(np.float32) / 255, pixels.transpose(2, 0, 1)):
        assert np.array_equal(np.asarray(decode_image(array)), pixels)
    grey = np.repeat(pixels[:, :, :1], 3, 2)
    for array in (pixels[:, :, 0], pixels[:, :, :1], pixels[None, :, :, 0], pixels[:, :, 0] / 255):
        assert np.array_equal(np.asarray(decode_image(array)), grey)
    clear = np.dstack([pixels, np.zeros((10, 20), np.uint8)])
    assert np.asarray(decode_image(clear)).min() == 255


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array([[0, 300]]), "an array of int64 with shape (1, 2) and values from 0 to 300 is no image"),
        (np.array([[0.0, 17.5]]), "an array of float64 with shape (1, 2) and values from 0 to 17.5 is no image"),
        (np.array([[np.nan, 1]]), "an array of float64 with shape (1, 2) and values from nan to nan is no image"),
        (np.zeros((2, 5, 7), np.uint8), "an array of uint8 with shape (2, 5, 7) and values from 0 to 0 is no image"),
        (np.zeros(9, np.uint8), "an array of uint8 with shape (9,) and values from 0 to 0 is no image"),
        (np.zeros((0, 4), np.uint8), "an array of uint8 with shape (0, 4) is no image"),
        (np.array([["a"]]), "an array of <U1 with shape (1, 1) is no image"),
        (np.array([[None]]), "an array of object with shape (1, 1) is no image"),
    ],
)
def test_other_arrays_are_refused_with_what_came(array, text):
    """The reason names dtype, shape and range, and what would be right."""
    assert reason(array).startswith(text)
    assert "expected uint8 or floats from 0 to 1" in reason(array)


def test_threads_decode_without_letting_a_warning_through():
    """Where warnings are errors, files that Pillow warns about are decoded all the same, in any number of threads."""
    with pytest.warns(UserWarning, match="EXIF"):
        Image.open(io.BytesIO(_with_damaged_exif())).getexif()
    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(lambda raw: decode_image(raw).size, [_with_damaged_exif()] * 200))
    assert set(sizes) == {(24, 16)}


def test_real_photographs_equal_pillows_own_reading(photos):
    """What is upright RGB already is not changed by a bit."""
    for path in photos:
        opened = Image.open(path)
        assert opened.getexif().get(0x0112, 1) == 1, "this photograph is turned; compare it another way"
        assert np.array_equal(np.asarray(decode_image(path.read_bytes())), np.asarray(opened.convert("RGB"))), path.name


def _picture_or_reason(raw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert decode_image(raw).mode == "RGB"
        except BadItemError as refusal:
            found = str(refusal)
        else:
            found = "a picture"
    assert found


def _with_damaged_exif():
    return encoded(picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
