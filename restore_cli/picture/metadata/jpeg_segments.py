"""Segments of JPEG before its samples (ITU-T T.81, B.1.1.4), and the EXIF and XMP in them."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Sequence
from typing import IO

from restore_cli.picture.metadata.exif import HEADERS, PREFIX
from restore_cli.picture.metadata.inserting import insert

APP, COM, DQT, SOS = range(0xE0, 0xF0), 0xFE, 0xDB, 0xDA
"""Second bytes of markers: of applications, a comment, tables of quantisation, a scan, which the samples follow."""
APP0, APP1, APP11 = APP[0], APP[1], APP[11]
TABLE_STEPS = 64
LARGEST_SEGMENT, LARGEST_XMP = 65_533, 65_502
"""Bytes of its content, and of an XMP packet in it (XMP Specification, part 3)."""
XMP_NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
"""Stands before XMP."""


def segments(file: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, position and length of the content of each segment before the samples."""
    at = 2
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == SOS:
            return
        if head[1] == 0xFF:  # a byte of filling
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        yield head[1], at + 4, max(length - 2, 0)
        at += 2 + max(length, 2)


def read_exif(file: IO[bytes]) -> bytes | None:
    """Return the first EXIF block, put together where it is too long for one segment and goes on in the next ones."""
    block = b""
    for marker, at, length in segments(file):
        file.seek(at)
        content = file.read(length) if marker == APP1 else b""
        is_other = not content.startswith(PREFIX) or content.startswith(HEADERS, len(PREFIX))
        if block and is_other:
            break
        if content.startswith(PREFIX):
            block += content[len(PREFIX) :]
    return block or None


def read_quantisation(file: IO[bytes], table: int) -> tuple[int, ...] | None:
    """Return the steps of a table of quantisation, 0 to 3, as they are stored; None where there is none."""
    for marker, at, length in segments(file):
        if marker != DQT:
            continue
        file.seek(at)
        content = file.read(length)
        while content:
            size = 2 if content[0] >> 4 else 1
            stored, number = content[1 : 1 + TABLE_STEPS * size], content[0] & 0x0F
            if number == table and len(stored) == TABLE_STEPS * size:
                return tuple(int.from_bytes(stored[step : step + size], "big") for step in range(0, len(stored), size))
            content = content[1 + TABLE_STEPS * size :]
    return None


def has_jumbf(file: IO[bytes]) -> bool:
    """Tell whether there are boxes of JUMBF, in which content credentials lie (ISO/IEC 19566-5)."""
    for marker, at, _ in segments(file):
        if marker == APP11:
            file.seek(at)
            head = file.read(16)
            if head[:2] == b"JP" and head[12:] == b"jumb":
                return True
    return False


def insert_blocks(file: IO[bytes], exif: bytes | None, xmp: bytes | None) -> None:
    """Put EXIF, and XMP that fits, into a finished JPEG, where all programs look for them.

    EXIF that is too long for one segment goes on in others, as `read_exif` takes it.
    """
    part = LARGEST_SEGMENT - len(PREFIX)
    contents = [PREFIX + exif[at : at + part] for at in range(0, len(exif), part)] if exif else []
    if xmp and len(xmp) <= LARGEST_XMP:
        contents.append(XMP_NAMESPACE + xmp)
    insert_segments(file, APP1, contents, behind=(APP0,))


def insert_segments(file: IO[bytes], marker: int, contents: Sequence[bytes], *, behind: Container[int]) -> None:
    """Put segments into a finished JPEG, behind those at its beginning that have certain markers."""
    if not contents:
        return
    at = 2
    for other, start, length in segments(file):
        if other not in behind:
            break
        at = start + length
    insert(file, at, b"".join(struct.pack(">BBH", 0xFF, marker, len(each) + 2) + each for each in contents))
