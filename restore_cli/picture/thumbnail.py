"""A small copy of a picture to look at: upright, sRGB, 8 bits, transparency kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture import vips
from restore_cli.picture.file_metadata import gather_metadata
from restore_cli.picture.formats import HEIC
from restore_cli.picture.opening import explained, open_picture
from restore_cli.picture.orientation import turn_upright
from restore_cli.picture.reading import read_picture
from restore_cli.picture.signatures import HEAD_BYTES, recognise

MEDIA_TYPE = "image/webp"
"""What thumbnails are."""
OPTIONS = {"Q": 70, "effort": 2, "keep": "none"}
MAX_PIXELS = 100_000_000
"""Default limit on the pixels of a picture: about a second of work."""
JPEG_GAIN = 5
"""How many times as many pixels a JPEG may have, since most of its samples need not be computed for a thumbnail."""
SHRINKS = (8, 4, 2)
"""What a JPEG can be reduced by while it is decoded, best first."""
SPARE = 2
"""How many times as large as the thumbnail a JPEG is decoded at least, so that it is reduced well from there on."""


class TooLargeError(UnreadablePictureError):
    """A thumbnail of the picture would take too long."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture."""

    content: bytes
    """Of a file of MEDIA_TYPE."""
    width: int
    height: int
    transparent: bool
    """Whether something may be seen through it."""


def make_thumbnail(source: Path, side: int, *, max_pixels: int = MAX_PIXELS) -> Thumbnail:
    """Return a copy of the first picture in `source` with at most `side` pixels a side; a smaller one keeps its size.

    Raises:
        TooLargeError: it has more than `max_pixels`.
        UnreadablePictureError: as `read_picture` does.
    """
    with explained(source), open_picture(source) as file:
        format = recognise(file.read(HEAD_BYTES))
        if format is not None and format != HEIC.name:
            return _reduce(*_open(file, format, side, max_pixels), side)

    def check(height: int, width: int) -> None:
        _refuse_large(height, width, max_pixels)

    picture = read_picture(source, check=check)
    samples = picture.pixels
    if picture.alpha is not None:
        samples = np.concatenate([samples, picture.alpha[..., None]], axis=2)
    return _reduce(vips.in_kind(vips.image_of(samples)), 1, side)


def _open(file: IO[bytes], format: str, side: int, max_pixels: int) -> tuple[Any, int]:
    """Open a picture, a JPEG as small as will do; return it and its EXIF orientation."""
    image = vips.open_image(file, format)
    orientation = gather_metadata(image, file, format).orientation
    if format != "jpeg":
        _refuse_large(image.height, image.width, max_pixels)
        return image, orientation
    _refuse_large(image.height, image.width, JPEG_GAIN * max_pixels)
    longest = max(image.width, image.height)
    shrink = next((shrink for shrink in SHRINKS if longest >= SPARE * side * shrink), 1)
    return vips.open_image(file, format, shrink=shrink), orientation


def _reduce(image: Any, orientation: int, side: int) -> Thumbnail:
    """Reduce an image, bring it into sRGB and turn it upright."""
    small = image.thumbnail_image(side, height=side, size="down", no_rotate=True, output_profile="srgb")
    samples = small.colourspace("srgb").cast("uchar").numpy()
    samples = turn_upright(samples.reshape(small.height, small.width, -1)[..., :4], orientation)
    content = vips.in_kind(vips.image_of(samples)).webpsave_buffer(**OPTIONS)
    height, width, bands = samples.shape
    return Thumbnail(content, width, height, transparent=bands in (2, 4) and bool((samples[..., -1] < 255).any()))


def _refuse_large(height: int, width: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLargeError(f"{math.floor(width * height / 1e6)} megapixels are too many for a thumbnail")
