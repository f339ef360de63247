"""Read and write PBM, PGM and PPM of any depth (https://netpbm.sourceforge.net/doc/ppm.html).

Pillow cuts 16-bit colour to 8 bits without a word, and reads depths other than 8 and 16 bits value by value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

import numpy as np

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.picture import Samples

GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
BITMAP_HEADER = re.compile(rb"P([14])" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})\s")
HEADER = re.compile(rb"P([2356])" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})\s")
COMMENT = re.compile(rb"#[^\n\r]*")
LONGEST_HEADER = 65_536
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


def decode(file: IO[bytes], header: NetpbmHeader) -> Samples:
    """Decode to h, w, 1 or 3 samples: 8 bits where the file's values need no more, else 16.

    Raises:
        UnreadablePictureError: the file is cut or damaged.
    """
    file.seek(header.offset)
    count = header.width * header.height * header.channels
    if header.plain:
        values = _plain_values(file.read(), count, header)
    elif header.bitmap:
        row_bytes = -(-header.width // 8)
        packed = _values(file, row_bytes * header.height, "u1").reshape(header.height, row_bytes)
        values = np.unpackbits(packed, axis=1, count=header.width)
    else:
        values = _values(file, count, "u1" if header.largest < 256 else ">u2")
    values = values.reshape(header.height, header.width, header.channels)
    if int(values.max()) > header.largest:
        raise UnreadablePictureError("it has values above those of white")
    if header.bitmap:
        return (1 - values).astype(np.uint8) * np.uint8(255)
    return _full_range(values, header.largest)


def write_header(height: int, width: int, channels: int, bits: int, file: IO[bytes]) -> None:
    """Write what stands before the rows of a binary PGM or PPM; `channels` is 1 or 3, `bits` 8 or 16."""
    file.write(b"%s\n%d %d\n%d\n" % (b"P6" if channels == 3 else b"P5", width, height, 2**bits - 1))


def write_rows(samples: Samples, file: IO[bytes]) -> None:
    """Write the next rows (h, w, channels)."""
    file.write(np.ascontiguousarray(samples, ">u2" if samples.itemsize == 2 else "u1").data)


def _full_range(values: Samples, largest: int) -> Samples:
    full = 255 if largest < 256 else 65_535
    steps = np.rint(np.arange(largest + 1) * full / largest)
    table: Samples = steps.astype(np.uint8) if full == 255 else steps.astype(np.uint16)
    return table[values]


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
    try:
        return np.array(digits[:count]).astype(np.uint16)
    except (ValueError, OverflowError) as error:
        raise UnreadablePictureError("it has values that are no numbers") from error
