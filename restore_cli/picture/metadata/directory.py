"""Tag directories of TIFF, of which EXIF blocks consist as well (TIFF 6.0, section 2; BigTIFF design note)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
"""Kinds of values."""
ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one item by the kind of value."""
NUMBER_BYTES = ITEM_BYTES | {5: 4, 10: 4}
"""Bytes of one number: a rational is two."""
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
MOST_ENTRIES = 4096


class Buffer(Protocol):
    """What directories are read from: bytes, or a file mapped into memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> bytes | bytearray: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """How a TIFF lays out its numbers."""

    order: Literal["<", ">"] = "<"
    big: bool = False
    """BigTIFF: offsets and counts of 64 bits."""

    @property
    def offset(self) -> struct.Struct:
        """An offset, which is also the place of a value that fits in it."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def length(self) -> struct.Struct:
        """The number of entries."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """Tag, kind and number of items; the value or its offset follows."""
        return struct.Struct(self.order + ("HHQ" if self.big else "HHI"))


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a tag; `data` in the byte order of its layout."""

    kind: int
    data: bytes

    def in_order(self, old: Layout, new: Layout) -> Value:
        """Return the value as `new` lays it out; what the kind does not tell to be numbers stays as it is."""
        size = NUMBER_BYTES[self.kind]
        if old.order == new.order or size == 1:
            return self
        turned = bytearray(self.data)
        for byte in range(size):
            turned[byte::size] = self.data[size - 1 - byte :: size]
        return Value(self.kind, bytes(turned))


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

    entries: dict[int, Entry]
    """By tag; without those that point outside the file or are of an unknown kind."""
    next: int
    """Offset of the next directory; 0 if there is none, or if it lies outside the file."""
    next_at: int
    """Position of that offset."""


def read_header(buffer: Buffer) -> tuple[Layout, int]:
    """Return the layout of a TIFF or EXIF block and the offset of its first directory.

    Raises:
        ValueError: it is no TIFF, or it is cut.
    """
    order: Literal["<", ">"] = ">" if buffer[0:2] == b"MM" else "<"
    magic = bytes(buffer[0:4])
    if magic in (b"II*\0", b"MM\0*"):
        return Layout(order), _unpack(buffer, 4, struct.Struct(order + "I"))[0]
    if magic in (b"II+\0", b"MM\0+"):
        return Layout(order, big=True), _unpack(buffer, 8, struct.Struct(order + "Q"))[0]
    raise ValueError("no TIFF header")


def read_directory(buffer: Buffer, offset: int, layout: Layout) -> Directory:
    """Read the directory at `offset`.

    Raises:
        ValueError: it lies outside the buffer.
    """
    (length,) = _unpack(buffer, offset, layout.length)
    first, step = offset + layout.length.size, layout.entry.size + layout.offset.size
    next_at = first + length * step
    if length > MOST_ENTRIES or next_at > len(buffer):
        raise ValueError("a directory of tags is cut")
    entries: dict[int, Entry] = {}
    for at in range(first, next_at, step):
        tag, kind, count = _unpack(buffer, at, layout.entry)
        if kind not in ITEM_BYTES:
            continue
        inline = at + layout.entry.size
        fits = count * ITEM_BYTES[kind] <= layout.offset.size
        entry = Entry(kind, count, inline if fits else _unpack(buffer, inline, layout.offset)[0], at)
        if entry.at + entry.size <= len(buffer):
            entries.setdefault(tag, entry)
    try:
        (following,) = _unpack(buffer, next_at, layout.offset)
    except ValueError:  # some writers leave the last offset out
        following = 0
    return Directory(entries, following if following < len(buffer) else 0, next_at)


def read_value(buffer: Buffer, entry: Entry) -> Value:
    """Return the value that `entry` describes."""
    return Value(entry.kind, bytes(buffer[entry.at : entry.at + entry.size]))


def read_integers(buffer: Buffer, entry: Entry | None, layout: Layout) -> tuple[int, ...]:
    """Return the items of a value of whole numbers; none if it is absent or of another kind."""
    if entry is None or entry.kind not in INTEGERS:
        return ()
    return struct.unpack(f"{layout.order}{entry.count}{INTEGERS[entry.kind]}", read_value(buffer, entry).data)


class DirectoryWriter:
    """Lays directories and their values out one after the other, for a place in a file that is known beforehand."""

    def __init__(self, layout: Layout, start: int) -> None:
        """`start` is the even position at which `content` will stand."""
        self.layout = layout
        self.start = start
        self.content = bytearray()

    def add(self, values: Mapping[int, Value], following: int = 0) -> int:
        """Add a directory, with `following` as the offset of the next one; return its offset."""
        layout = self.layout
        offset = self.start + len(self.content)
        table = layout.length.size + len(values) * (layout.entry.size + layout.offset.size) + layout.offset.size
        head, data = bytearray(layout.length.pack(len(values))), bytearray()
        for tag, value in sorted(values.items()):
            head += layout.entry.pack(tag, value.kind, len(value.data) // ITEM_BYTES[value.kind])
            if len(value.data) <= layout.offset.size:
                head += value.data.ljust(layout.offset.size, b"\0")
            else:
                head += layout.offset.pack(offset + table + len(data))
                data += value.data + bytes(len(value.data) % 2)
        self.content += head + layout.offset.pack(following) + data
        self.content += bytes(len(self.content) % 2)
        return offset


def _unpack(buffer: Buffer, at: int, numbers: struct.Struct) -> tuple[int, ...]:
    data = buffer[at : at + numbers.size]
    if len(data) < numbers.size:
        raise ValueError("a directory of tags is cut")
    return numbers.unpack(data)
