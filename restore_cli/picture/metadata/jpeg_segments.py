"""Segments of JPEG before its samples (ITU-T T.81, B.1.1.4), and the EXIF that is cut into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from restore_cli.picture.metadata.exif import HEADERS, PREFIX

APP, COM, DQT, SOS = range(0xE0, 0xF0), 0xFE, 0xDB, 0xDA
"""Second bytes of markers: of applications, a comment, tables of quantisation, a scan, which the samples follow."""
TABLE_STEPS = 64
APP1 = APP[1]


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
