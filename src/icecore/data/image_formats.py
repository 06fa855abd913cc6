"""Which image formats are read, and what can be told of a file without decoding it."""

from __future__ import annotations

import io

from PIL import Image

EXTENSIONS = frozenset({
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip

# Raster formats only: Pillow would hand PostScript to Ghostscript, whatever the file is called.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1")


def formats() -> tuple[str, ...]:
    """The formats that this Pillow reads. HEIF is among them once pillow-heif has registered itself."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def signature(raw: bytes) -> str | None:
    """The format whose first bytes these are, if one of the common ones."""
    if raw[4:12] in _HEIC:
        return "HEIC"
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        return "WebP"
    return next((name for start, name in _SIGNATURES.items() if raw.startswith(start)), None)


def declared_size(raw: bytes) -> tuple[int, int]:
    """Width and height in pixels from the header alone: Pillow's refusal of a large image does not tell them."""
    for name in formats():
        factory, accept = Image.OPEN[name]
        if accept is None or accept(raw[:16]) is True:
            try:
                return factory(io.BytesIO(raw), "").size
            except (SyntaxError, OSError, Image.DecompressionBombError):
                continue
    return (1, 1)
