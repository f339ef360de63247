"""Read and write PBM, PGM and PPM of any depth (https://netpbm.sourceforge.net/doc/ppm.html).

Pillow cuts 16-bit colour to 8 bits without a word, and reads depths other than 8 and 16 bits value by value.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import IO

import numpy as np

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.picture import Samples
from restore_cli.scratch import ArrayStorage, rows_in_bands

GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
BITMAP_HEADER = re.compile(rb"P([14])" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})\s")
HEADER = re.compile(rb"P([2356])" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})\s")
COMMENT = re.compile(rb"#[^\n\r]*")
LONGEST_HEADER = 65_536
LONGEST_VALUE = 9
"""Digits of a value that is text, as of those in a header: NumPy gives all values the room of the longest."""
CUT = "it is cut"


@dataclass(frozen=True, slots=True)
class NetpbmHeader:
    """What a file says of its samples."""

    width: int
    height: int
    channels: int
    largest: int
    """Value of white; 1 in a bitmap, where ones are black."""
    plain: bool
    """Values are written as text."""
    bitmap: bool
    offset: int
    """Where the samples begin."""


def read_header(file: IO[bytes]) -> NetpbmHeader | None:
    """Read the header at the start of `file`; None if it is of another format.

    Raises:
        UnreadablePictureError: the header is damaged.
    """
    file.seek(0)
    head = file.read(LONGEST_HEADER)
    if re.match(rb"P[1-6][\s#]", head) is None:
        return None
    bitmap = head[1:2] in b"14"
    match = (BITMAP_HEADER if bitmap else HEADER).match(head)
    if match is None:
        raise UnreadablePictureError("its header is cut or damaged")
    kind, width, height, largest = (int(number) for number in (*match.groups(), b"1")[:4])
    if width == 0 or height == 0 or not 0 < largest < 65_536:
        raise UnreadablePictureError("its header is damaged")
    channels = 3 if kind in (3, 6) else 1
    return NetpbmHeader(width, height, channels, largest, kind < 4, bitmap, match.end())


def decode(file: IO[bytes], header: NetpbmHeader, storage: ArrayStorage) -> Samples:
    """Decode to h, w, 1 or 3 samples: 8 bits where the file's values need no more, else 16.

    They lie in `storage`, which they reach band by band unless they are written as text.

    Raises:
        UnreadablePictureError: the file is cut or damaged.
        UnwritablePictureError: `storage` has no place for them.
    """
    file.seek(header.offset)
    shape, levels = (header.height, header.width, header.channels), _levels_of(header)
    text = _plain_values(file.read(), math.prod(shape), header).reshape(shape) if header.plain else None
    samples: Samples = storage.empty(shape, levels.dtype)
    for rows in rows_in_bands(header.height, samples[0].nbytes):
        values = _next_rows(file, rows.stop - rows.start, header) if text is None else text[rows]
        if int(values.max()) > header.largest:
            raise UnreadablePictureError("it has values above those of white")
        samples[rows] = levels[values]
        storage.release()
    return samples


def write_header(height: int, width: int, channels: int, bits: int, file: IO[bytes]) -> None:
    """Write what stands before the rows of a binary PGM or PPM; `channels` is 1 or 3, `bits` 8 or 16."""
    file.write(b"%s\n%d %d\n%d\n" % (b"P6" if channels == 3 else b"P5", width, height, 2**bits - 1))


def write_rows(samples: Samples, file: IO[bytes]) -> None:
    """Write the next rows (h, w, channels)."""
    file.write(np.ascontiguousarray(samples, ">u2" if samples.itemsize == 2 else "u1").data)


def _levels_of(header: NetpbmHeader) -> Samples:
    """Return what each of a file's values stands for."""
    dtype = np.uint8 if header.largest < 256 else np.uint16
    steps: Samples = np.rint(np.arange(header.largest + 1) * np.iinfo(dtype).max / header.largest).astype(dtype)
    return steps[::-1] if header.bitmap else steps


def _next_rows(file: IO[bytes], count: int, header: NetpbmHeader) -> Samples:
    """Read the next `count` rows of values that are no text; count, w, 1 or 3."""
    if header.bitmap:
        row_bytes = -(-header.width // 8)
        packed = _values(file, count * row_bytes, "u1").reshape(count, row_bytes)
        values: Samples = np.unpackbits(packed, axis=1, count=header.width)
    else:
        values = _values(file, count * header.width * header.channels, "u1" if header.largest < 256 else ">u2")
    return values.reshape(count, header.width, header.channels)


def _values(file: IO[bytes], count: int, dtype: str) -> Samples:
    size = count * np.dtype(dtype).itemsize
    content = file.read(size)
    if len(content) < size:
        raise UnreadablePictureError(CUT)
    return np.frombuffer(content, dtype)


def _plain_values(text: bytes, count: int, header: NetpbmHeader) -> Samples:
    text = COMMENT.sub(b"", text)
    digits = [bytes([digit]) for digit in b"".join(text.split())] if header.bitmap else text.split()
    if len(digits) < count:
        raise UnreadablePictureError(CUT)
    del digits[count:]
    if not all(value.isdigit() and len(value) <= LONGEST_VALUE for value in digits):
        raise UnreadablePictureError("it has values that are no numbers, or of too many digits")
    try:
        return np.array(digits).astype(np.uint16)
    except OverflowError as error:
        raise UnreadablePictureError("it has values above those of white") from error
