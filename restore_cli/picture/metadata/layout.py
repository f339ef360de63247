"""How TIFF and EXIF blocks lay out their numbers and values (TIFF 6.0, section 2; BigTIFF design note)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 3, 4, 5, 7, 16
"""Kinds of values."""
ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one item by the kind of value."""
NUMBER_BYTES = ITEM_BYTES | {5: 4, 10: 4}
"""Bytes of one number: a rational is two."""
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


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

    @property
    def magic(self) -> bytes:
        """What a TIFF begins with."""
        return struct.pack(self.order + "2sH", b"II" if self.order == "<" else b"MM", 43 if self.big else 42)

    @property
    def header_bytes(self) -> int:
        """Bytes of the header, which ends with the offset of the first directory."""
        return 16 if self.big else 8

    def header(self, first: int) -> bytes:
        """Return the header of a TIFF whose first directory is at `first`."""
        about_offsets = struct.pack(self.order + "HH", self.offset.size, 0) if self.big else b""
        return self.magic + about_offsets + self.offset.pack(first)

    def directory_bytes(self, entries: int) -> int:
        """Return how many bytes a directory has, but for values that lie elsewhere."""
        return self.length.size + entries * (self.entry.size + self.offset.size) + self.offset.size

    def integers(self, kind: int, *numbers: int) -> Value:
        """Return whole numbers as a value of a kind that INTEGERS has."""
        return Value(kind, struct.pack(f"{self.order}{len(numbers)}{INTEGERS[kind]}", *numbers))


LAYOUTS = {layout.magic: layout for layout in (Layout("<"), Layout(">"), Layout("<", big=True), Layout(">", big=True))}
"""All there are, by what a TIFF begins with."""


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
