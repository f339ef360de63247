"""EXIF through libvips, byte for byte.

libvips passes EXIF through libexif, which drops what it does not know (ratings, newer tags), adds tags of its own and
moves maker notes. So it is given a placeholder, and the block is written over that in the finished file. This serves
JPEG, WebP and AVIF alike, whatever else their containers hold.
"""

from __future__ import annotations

import secrets
import struct
from typing import IO

from restore_cli.picture.metadata.directory import LONG, UNDEFINED, DirectoryWriter, Layout, Value
from restore_cli.picture.metadata.exif import EXIF

LARGEST_BLOCK = 65_000
"""Bytes of the largest EXIF block that libexif, and a segment of JPEG, can hold."""
DEVICE_SETTINGS = 0xA40B
"""A tag whose content libexif does not look into; it rewrites some comments."""
HEADER = b"II*\0\x08\0\0\0"
READ_BYTES = 1 << 20


class Placeholder:
    """An EXIF block that takes the place of another one, and is found again by its random mark."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._mark = secrets.token_hex(16).encode()
        layout = Layout()
        filling = Value(UNDEFINED, self._mark.ljust(len(block), b"\0"))
        pointing = layout.length.size + layout.entry.size + 2 * layout.offset.size  # bytes of a directory of one entry
        writer = DirectoryWriter(layout, len(HEADER))
        writer.add({EXIF: Value(LONG, struct.pack("<I", len(HEADER) + pointing))})
        writer.add({DEVICE_SETTINGS: filling})
        self.content = HEADER + bytes(writer.content)

    def replace(self, file: IO[bytes]) -> None:
        """Write the block over the placeholder in a finished `file`; what remains of the placeholder becomes zeros."""
        mark_at, before = self._find(file)
        start = mark_at - len(before) + before.rindex(HEADER)
        end = mark_at + max(len(self._mark), len(self._block))
        content = self._block.ljust(end - start, b"\0")
        file.seek(start)
        file.write(content)

    def _find(self, file: IO[bytes]) -> tuple[int, bytes]:
        """Return the position of the mark, and the bytes before it, among which the placeholder begins."""
        file.seek(0)
        position, window = 0, b""
        while block := file.read(READ_BYTES):
            window = window[-2048:] + block
            position += len(block)
            if (at := window.find(self._mark)) >= 0:
                return position - len(window) + at, window[max(at - 1024, 0) : at]
        raise AssertionError("libvips wrote no EXIF")
