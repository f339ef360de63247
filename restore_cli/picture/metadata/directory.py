"""Tag directories of TIFF, of which EXIF blocks consist as well, as they are read."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO, Protocol

from restore_cli.picture.metadata.layout import INTEGERS, ITEM_BYTES, LAYOUTS, RATIONAL, Layout, Value

MOST_ENTRIES = 4096
MOST_ITEMS = 1 << 16
"""Whole numbers of one value that are read; a damaged file may tell of millions."""


class Buffer(Protocol):
    """What directories are read from: bytes, or a file mapped into memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> bytes | bytearray: ...


@contextmanager
def mapped(file: IO[bytes]) -> Iterator[Buffer]:
    """Give the bytes of a file without reading all of them."""
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
        return
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a directory says that a value lies."""

    kind: int
    count: int
    at: int
    """Position of the value."""
    described_at: int
    """Position of tag, kind and count."""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return self.count * ITEM_BYTES[self.kind]


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory of a TIFF: an image of the file, or a group of EXIF tags."""

    buffer: Buffer = field(repr=False)
    """The whole file or block."""
    layout: Layout
    offset: int
    entries: dict[int, Entry]
    """By tag; without those that point outside the file or are of an unknown kind, and without those by which all of
    them together would be longer than the file."""
    next: int
    """Offset of the next directory; 0 if there is none, or if it lies outside the file."""
    next_at: int
    """Position of that offset."""

    @property
    def end(self) -> int:
        """Position behind it."""
        return self.next_at + self.layout.offset.size

    def values(self, layout: Layout, tags: Container[int] = range(1 << 16)) -> dict[int, Value]:
        """Return the values of `tags` that are not empty by tag, as `layout` lays them out."""
        return {
            tag: Value(entry.kind, self.data(tag)).in_order(self.layout, layout)
            for tag, entry in self.entries.items()
            if entry.count and tag in tags
        }

    def data(self, tag: int) -> bytes:
        """Return the bytes of a value; none if it is absent."""
        entry = self.entries.get(tag)
        return b"" if entry is None else bytes(self.buffer[entry.at : entry.at + entry.size])

    def integers(self, tag: int, most: int = MOST_ITEMS) -> tuple[int, ...]:
        """Return the first items of a value of whole numbers; none if it is absent or of another kind."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in INTEGERS:
            return ()
        items = struct.Struct(f"{self.layout.order}{min(entry.count, most)}{INTEGERS[entry.kind]}")
        return items.unpack(self.buffer[entry.at : entry.at + items.size])

    def integer(self, tag: int) -> int | None:
        """Return the first of such items."""
        return next(iter(self.integers(tag, 1)), None)

    def rational(self, tag: int) -> Fraction | None:
        """Return the value of one rational; None if it is absent, of another kind, or divides by zero."""
        return next(iter(self.rationals(tag, 1)), None)

    def rationals(self, tag: int, count: int) -> tuple[Fraction, ...]:
        """Return a value of so many rationals; none if it is absent, another kind or number, or divides by zero."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind != RATIONAL or entry.count != count:
            return ()
        pairs = list(struct.iter_unpack(self.layout.order + "II", self.data(tag)))
        return tuple(Fraction(*pair) for pair in pairs) if all(below for _, below in pairs) else ()

    def at(self, offset: int) -> Directory | None:
        """Return the directory at `offset` in the same file; None if it cannot be read."""
        try:
            return read_directory(self.buffer, offset, self.layout)
        except ValueError:
            return None

    def below(self, tag: int) -> Directory | None:
        """Return the directory that `tag` points to; None if there is none that can be read."""
        offset = self.integer(tag)
        return None if offset is None else self.at(offset)


def read_first_directory(buffer: Buffer) -> Directory:
    """Read the first directory of a TIFF or EXIF block.

    Raises:
        ValueError: it is no TIFF, or it is cut.
    """
    layout = LAYOUTS.get(bytes(buffer[0:4]))
    if layout is None:
        raise ValueError("no TIFF header")
    (offset,) = _unpack(buffer, layout.header_bytes - layout.offset.size, layout.offset)
    return read_directory(buffer, offset, layout)


def read_directory(buffer: Buffer, offset: int, layout: Layout) -> Directory:
    """Read the directory at `offset`.

    Raises:
        ValueError: it lies outside the buffer.
    """
    (length,) = _unpack(buffer, offset, layout.length)
    next_at = offset + layout.directory_bytes(length) - layout.offset.size
    if length > MOST_ENTRIES or next_at > len(buffer):
        raise ValueError("a directory of tags is cut")
    entries: dict[int, Entry] = {}
    for tag, entry in _walk_entries(buffer, offset + layout.length.size, next_at, layout):
        entries.setdefault(tag, entry)
    try:
        (following,) = _unpack(buffer, next_at, layout.offset)
    except ValueError:  # some writers leave the last offset out
        following = 0
    return Directory(buffer, layout, offset, entries, following if following < len(buffer) else 0, next_at)


def _walk_entries(buffer: Buffer, start: int, end: int, layout: Layout) -> Iterator[tuple[int, Entry]]:
    """Yield the tag and the entry of each value of a known kind that lies in the buffer, while they may lie apart."""
    room = len(buffer)
    for at in range(start, end, layout.entry.size + layout.offset.size):
        tag, kind, count = _unpack(buffer, at, layout.entry)
        if kind not in ITEM_BYTES:
            continue
        inline, size = at + layout.entry.size, count * ITEM_BYTES[kind]
        if size <= layout.offset.size:
            yield tag, Entry(kind, count, inline, at)
            continue
        (place,) = _unpack(buffer, inline, layout.offset)
        if place + size <= len(buffer) and size <= room:
            room -= size
            yield tag, Entry(kind, count, place, at)


def _unpack(buffer: Buffer, at: int, numbers: struct.Struct) -> tuple[int, ...]:
    data = buffer[at : at + numbers.size]
    if len(data) < numbers.size:
        raise ValueError("a directory of tags is cut")
    return numbers.unpack(data)
