"""Write BMP with an alpha, which Pillow does not: 32 bits a pixel, and a header of version 4 (wingdi.h)."""

from __future__ import annotations

import struct
from typing import IO

from restore_cli.picture.picture import Samples
from restore_cli.scratch import few_rows_each

FILE_HEADER, HEADER = struct.Struct("<2sI4xI"), struct.Struct("<I2i2H2I2i2I4I4s48x")
PIXEL_BYTES, BITS, BY_MASKS = 4, 32, 3
"""Bytes and bits of a pixel, and the number that says that masks tell its channels."""
MASKS = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
"""Bits of red, green, blue and alpha."""
STORED = (2, 1, 0, 3)
"""Channels in the order in which their bytes come."""
SRGB = b"BGRs"
"""`sRGB`, as a number with its low byte first."""
LARGEST_FILE = 2**32 - 1


def encode(samples: Samples, pixels_per_mm: tuple[float, float] | None, file: IO[bytes]) -> None:
    """Write h, w, 4 samples of 8 bits (alpha last) to `file`.

    Raises:
        OSError: the file cannot be written.
        ValueError: the picture is too large for the format.
    """
    height, width = samples.shape[:2]
    content, offset = PIXEL_BYTES * height * width, FILE_HEADER.size + HEADER.size
    if offset + content > LARGEST_FILE:
        raise ValueError("it is too large for BMP with transparency")
    resolution = [round(1000 * density) for density in pixels_per_mm or (0, 0)]  # pixels a metre
    kind = (1, BITS, BY_MASKS)
    file.write(FILE_HEADER.pack(b"BM", offset + content, offset))
    file.write(HEADER.pack(HEADER.size, width, height, *kind, content, *resolution, 0, 0, *MASKS, SRGB))
    from_below = samples[::-1]
    for rows in few_rows_each(height):
        file.write(from_below[rows][..., STORED].tobytes())
