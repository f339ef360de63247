"""EXIF through libvips, byte for byte.

libvips passes EXIF through libexif, which drops what it does not know (ratings, newer tags), adds tags of its own and
moves maker notes. So it is given a placeholder, and the block is written over that in the finished file. This serves
WebP and AVIF alike, whatever else their containers hold; for a block that libexif does not take for its length, room is
made in the one way and in the other.
"""

from __future__ import annotations

import secrets
import struct
from typing import IO

from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.exif import EXIF, PREFIX
from restore_cli.picture.metadata.inserting import insert
from restore_cli.picture.metadata.layout import LONG, UNDEFINED, Layout, Value

LARGEST_BLOCK = 65_000
"""Bytes of the largest placeholder that libexif takes."""
DEVICE_SETTINGS = 0xA40B
"""A tag whose content libexif does not look into; it rewrites some comments."""
LAYOUT = Layout()
HEADER = LAYOUT.header(LAYOUT.header_bytes)
RIFF = b"RIFF"
READ_BYTES = 1 << 20


class Placeholder:
    """An EXIF block that takes the place of another one, and is found again by its random mark."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._mark = secrets.token_hex(16).encode()
        self._is_short = len(block) <= LARGEST_BLOCK
        filling = Value(UNDEFINED, self._mark.ljust(len(block) if self._is_short else 0, b"\0"))
        writer = DirectoryWriter(LAYOUT)
        first = writer.add({EXIF: LAYOUT.integers(LONG, LAYOUT.header_bytes + LAYOUT.directory_bytes(1))})
        writer.add({DEVICE_SETTINGS: filling})
        self.content = writer.with_header(first)

    def replace(self, file: IO[bytes]) -> None:
        """Write the block over the placeholder in a finished `file`; what remains of the placeholder becomes zeros."""
        mark_at, before = self._find(file)
        start = mark_at - len(before) + before.rindex(HEADER)
        end = mark_at + len(self._mark)
        if self._is_short:
            end = max(end, mark_at + len(self._block))
            _write_at(file, start, self._block.ljust(end - start, b"\0"))
            return
        _write_at(file, start, bytes(end - start))
        file.seek(0)
        make_room = _replace_chunk if file.read(4) == RIFF else _move_item
        make_room(file, start - len(PREFIX), PREFIX + self._block)

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


def _replace_chunk(file: IO[bytes], at: int, content: bytes) -> None:
    """Replace the content at `at` of a chunk in a WebP (RFC 9649, section 2.3) by one that is longer."""
    file.seek(at - 4)
    (length,) = struct.unpack("<I", file.read(4))
    padded, taken = content + bytes(len(content) % 2), length + length % 2
    insert(file, at + taken, bytes(len(padded) - taken))
    _write_at(file, at - 4, struct.pack("<I", len(content)) + padded)
    _write_at(file, 4, struct.pack("<I", file.seek(0, 2) - 8))


def _move_item(file: IO[bytes], at: int, content: bytes) -> None:
    """Put `content` behind an AVIF as the one of the item whose content stood at `at` (ISO/IEC 14496-12, 8.11.3).

    An item of EXIF begins with the number of bytes before the block itself.
    """
    item = struct.pack(">I", len(PREFIX)) + content
    end = file.seek(0, 2)
    file.write(struct.pack(">I4s", len(item) + 8, b"mdat") + item)
    file.seek(0)
    boxes, extent = file.read(at), struct.Struct(">IHII")  # where it begins, one extent, which begins there, its length
    described_at = boxes.index(extent.pack(at - 4, 1, 0, 0)[:10], boxes.index(b"iloc"))
    _write_at(file, described_at, extent.pack(end + 8, 1, 0, len(item)))


def _write_at(file: IO[bytes], at: int, content: bytes) -> None:
    file.seek(at)
    file.write(content)
