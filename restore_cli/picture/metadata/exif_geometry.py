"""EXIF tags about places in the picture, and about how dense its pixels are on the sensor (Exif 2.32, section 4.6.5).

Values are changed in their places; those that a damaged block lets lie in a directory stay as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from restore_cli.picture.metadata.directory import (
    INTEGERS,
    RATIONAL,
    Entry,
    Layout,
    read_directory,
    read_integers,
    read_value,
)

SUBJECT = (0x9214, 0xA214)
"""SubjectArea and SubjectLocation: the middle, across and down, and behind it a diameter, or width and height."""
FOCAL_PLANE = (0xA20E, 0xA20F)
"""FocalPlaneXResolution and FocalPlaneYResolution."""
HEADER_BYTES, INLINE_BYTES = 8, 4
LARGEST = 0xFFFF_FFFF
"""A rational is two numbers that are no larger."""
TRANSPOSED = (5, 6, 7, 8)
"""Orientations by which rows become columns."""
MIRRORED_ACROSS, MIRRORED_DOWN = (2, 3, 6, 7), (3, 4, 7, 8)
"""Orientations by which a picture is mirrored, after the transposition where there is one."""

Size = tuple[int, int]
"""Width and height in pixels."""


class Geometry:
    """What the group of EXIF tags in a block says of places and densities."""

    def __init__(self, block: bytearray, first: int, group: int, layout: Layout) -> None:
        """Find the tags in the directory at `group` of a block whose first directory is at `first`."""
        self._block = block
        self._layout = layout
        ends = [read_directory(block, place, layout).next_at + layout.offset.size for place in (first, group)]
        self._taken = [(0, HEADER_BYTES), *zip((first, group), ends, strict=True)]
        entries = read_directory(block, group, layout).entries
        self._entries = {tag: entries[tag] for tag in entries if self._is_apart(entries[tag])}

    def turn(self, orientation: int, upright: Size) -> None:
        """Turn with a picture that had an orientation, and is of the size `upright` now."""
        for tag in SUBJECT:
            numbers = self._subject(tag)
            step = -1 if orientation in TRANSPOSED else 1
            place, extent = numbers[:2][::step], numbers[2:][::step]
            if orientation in MIRRORED_ACROSS and place:
                place[0] = upright[0] - 1 - place[0]
            if orientation in MIRRORED_DOWN and place:
                place[1] = upright[1] - 1 - place[1]
            self._set_subject(tag, place + extent)
        if orientation in TRANSPOSED and all(tag in self._entries for tag in FOCAL_PLANE):
            across, down = (self._density(tag) for tag in FOCAL_PLANE)
            self._set_density(FOCAL_PLANE[0], down)
            self._set_density(FOCAL_PLANE[1], across)

    def scale(self, before: Size, after: Size) -> None:
        """Scale with a picture that was of one size and is of another now."""
        factors = Fraction(after[0], before[0]), Fraction(after[1], before[1])
        for tag in SUBJECT:
            self._set_subject(tag, [round(n * factors[axis % 2]) for axis, n in enumerate(self._subject(tag))])
        for tag, factor in zip(FOCAL_PLANE, factors, strict=True):
            density = self._density(tag)
            self._set_density(tag, density and density * factor)

    def _is_apart(self, entry: Entry) -> bool:
        end = entry.at + entry.size
        return entry.size <= INLINE_BYTES or all(end <= start or entry.at >= stop for start, stop in self._taken)

    def _subject(self, tag: int) -> list[int]:
        numbers = read_integers(self._block, self._entries.get(tag), self._layout)
        return list(numbers) if len(numbers) in (2, 3, 4) else []

    def _set_subject(self, tag: int, numbers: Sequence[int]) -> None:
        if numbers:
            numbers_at = struct.Struct(f"{self._layout.order}{len(numbers)}{INTEGERS[self._entries[tag].kind]}")
            largest = (1 << 8 * numbers_at.size // len(numbers)) - 1
            held = [min(max(number, 0), largest) for number in numbers]
            numbers_at.pack_into(self._block, self._entries[tag].at, *held)

    def _density(self, tag: int) -> Fraction | None:
        entry = self._entries.get(tag)
        if entry is None or (entry.kind, entry.count) != (RATIONAL, 1):
            return None
        above, below = struct.unpack(self._layout.order + "II", read_value(self._block, entry).data)
        return Fraction(above, below) if above and below else None

    def _set_density(self, tag: int, density: Fraction | None) -> None:
        if density is None:
            return
        if density.numerator > LARGEST:
            density = Fraction(min(round(density), LARGEST))
        elif density.denominator > LARGEST:
            density = density.limit_denominator(LARGEST)
        numbers = density.as_integer_ratio()
        struct.pack_into(self._layout.order + "II", self._block, self._entries[tag].at, *numbers)
