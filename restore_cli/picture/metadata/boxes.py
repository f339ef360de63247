"""Boxes, of which JPEG 2000, AVIF and HEIC files consist (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO

from restore_cli.picture.metadata.part import Part

ENDLESS = 1 << 64
"""More bytes than any file has."""


def walk_boxes(file: IO[bytes], at: int = 0, end: int = ENDLESS) -> Iterator[Part]:
    """Yield each box between `at` and `end`, with a content that is ENDLESS where it goes on to the end of the file."""
    end = min(end, file.seek(0, io.SEEK_END))
    while at < end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        header_bytes = 8
        if length == 1 and len(head) == 16:
            length, header_bytes = struct.unpack_from(">Q", head, 8)[0], 16
        is_endless = length < header_bytes  # none is said, or one that cannot be
        box = Part(file, kind, at + header_bytes, ENDLESS if is_endless else length - header_bytes)
        yield box
        at = box.end
