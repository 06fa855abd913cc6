"""Small real files for the tests of this room, written with Pillow or, where it cannot, by hand."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def picture(width=24, height=16, seed=0):
    """A smooth coloured picture without any symmetry, which JPEG keeps well."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    shift = seed * 17
    red = 255 * x / max(width - 1, 1)
    green = 255 * y / max(height - 1, 1)
    blue = 255 * (x * y) / max((width - 1) * (height - 1), 1)
    return Image.fromarray(((np.stack([red, green, blue], -1) + shift) % 256).astype(np.uint8))


def encoded(image, form="PNG", **options):
    """The content of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def write_picture(path, seed=0, **options):
    """A small picture file, folders made as needed; the format is the extension's."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    form = Image.registered_extensions()[path.suffix.lower()]
    path.write_bytes(encoded(picture(seed=seed), form, **options))
    return path


def sideways(image, orientation):
    """The picture as a camera stores it, so that turning it by `orientation` shows `image` upright."""
    stored = {
        1: image,
        2: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: image.transpose(Image.Transpose.ROTATE_180),
        4: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: image.transpose(Image.Transpose.TRANSPOSE),
        6: image.transpose(Image.Transpose.ROTATE_90),
        7: image.transpose(Image.Transpose.TRANSVERSE),
        8: image.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return stored, exif


def png(width, height, depth, colour, *, compressed):
    """A PNG file from its parts, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", compressed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def png16(pixels, colour):
    """A PNG with 16 bits a channel. pixels: uint16 (height, width[, channels])."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], 16, colour, compressed=zlib.compress(rows))


def bomb(width=30_000, height=30_000):
    """A small PNG file that would decode to width x height pixels."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8) * 100
    packed = b"".join(packer.compress(row) for _ in range(height // 100)) + packer.flush()
    return png(width, height, 1, 0, compressed=packed)


def cmyk_profile():
    """A colour profile for CMYK in which every ink mixture is a pure green in Lab, so that its use cannot be missed."""
    inks, grid, values = 4, 2, 3
    ramp = bytes(range(256))
    table = bytes([200, 60, 180]) * grid**inks
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1" + bytes(4) + bytes([inks, values, grid, 0]) + matrix + ramp * inks + table + ramp * values
    start = 128 + 4 + 12
    header = bytearray(128)
    header[0:4] = struct.pack(">I", start + len(lut))
    header[8:12] = b"\x02\x40\x00\x00"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + struct.pack(">I", 1) + b"A2B0" + struct.pack(">II", start, len(lut)) + lut


def distance(first, second):
    """The mean difference between two pictures, in levels of 255."""
    a, b = (np.asarray(image, np.float64) for image in (first, second))
    assert a.shape == b.shape, (a.shape, b.shape)
    return float(np.abs(a - b).mean())


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
