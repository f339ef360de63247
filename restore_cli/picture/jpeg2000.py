"""How many bits the samples of a JPEG 2000 file have, which Pillow does not tell."""

from __future__ import annotations

import struct
from typing import IO

CODESTREAM = b"\xff\x4f\xff\x51"
"""Markers SOC and SIZ."""


def bits_per_sample(file: IO[bytes]) -> int | None:
    """Return the bits of the deepest component (ISO/IEC 15444-1, A.5.1 and I.4); None if the file does not tell."""
    file.seek(0)
    if file.read(4) != CODESTREAM and not _enter_codestream(file):
        return None
    size = file.read(38)
    if len(size) < 38:
        return None
    depths = file.read(3 * struct.unpack_from(">H", size, 36)[0])[::3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=None)


def _enter_codestream(file: IO[bytes]) -> bool:
    """Go from box to box until behind the first markers of the codestream; False if there is none."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return False
        length, kind = struct.unpack_from(">I4s", head)
        header_bytes = 8
        if length == 1 and len(head) == 16:
            length, header_bytes = struct.unpack_from(">Q", head, 8)[0], 16
        if kind == b"jp2c":
            file.seek(at + header_bytes)
            return file.read(4) == CODESTREAM
        if length < header_bytes:
            return False
        at += length
