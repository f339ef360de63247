"""EXIF tags about places in the picture, and about how dense its pixels are on the sensor (Exif 2.32, section 4.6.5).

Values are changed in their places; those that a damaged block lets lie in a directory stay as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from restore_cli.picture.metadata.density import LARGEST
from restore_cli.picture.metadata.directory import Directory, Entry
from restore_cli.picture.metadata.layout import ITEM_BYTES

SUBJECT = (0x9214, 0xA214)
"""SubjectArea and SubjectLocation: the middle, across and down, and behind it a diameter, or width and height."""
FOCAL_PLANE = (0xA20E, 0xA20F)
"""FocalPlaneXResolution and FocalPlaneYResolution."""
INLINE_BYTES = 4
TRANSPOSED = (5, 6, 7, 8)
"""Orientations by which rows become columns."""
MIRRORED_ACROSS, MIRRORED_DOWN = (2, 3, 6, 7), (3, 4, 7, 8)
"""Orientations by which a picture is mirrored, after the transposition where there is one."""

WidthHeight = tuple[int, int]
"""Width and height in pixels, in the order of EXIF."""


class Geometry:
    """What the group of EXIF tags in a block says of places and densities."""

    def __init__(self, block: bytearray, first: Directory, group: Directory) -> None:
        """Find the tags in the directory `group` of a block."""
        self._block = block
        self._taken = [(0, group.layout.header_bytes), (first.offset, first.end), (group.offset, group.end)]
        self._tags = replace(group, entries={tag: at for tag, at in group.entries.items() if self._is_apart(at)})

    def turn(self, orientation: int, upright: WidthHeight) -> None:
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
        across, down = (self._tags.rational(tag) for tag in FOCAL_PLANE)
        if orientation in TRANSPOSED and across is not None and down is not None:
            self._set_density(FOCAL_PLANE[0], down)
            self._set_density(FOCAL_PLANE[1], across)

    def scale(self, before: WidthHeight, after: WidthHeight) -> None:
        """Scale with a picture that was of one size and is of another now."""
        factors = Fraction(after[0], before[0]), Fraction(after[1], before[1])
        for tag in SUBJECT:
            self._set_subject(tag, [round(n * factors[axis % 2]) for axis, n in enumerate(self._subject(tag))])
        for tag, factor in zip(FOCAL_PLANE, factors, strict=True):
            density = self._tags.rational(tag)
            self._set_density(tag, density and density * factor)

    def _is_apart(self, entry: Entry) -> bool:
        end = entry.at + entry.size
        return entry.size <= INLINE_BYTES or all(end <= start or entry.at >= stop for start, stop in self._taken)

    def _subject(self, tag: int) -> list[int]:
        numbers = self._tags.integers(tag)
        return list(numbers) if len(numbers) in (2, 3, 4) else []

    def _set_subject(self, tag: int, numbers: Sequence[int]) -> None:
        if numbers:
            entry = self._tags.entries[tag]
            largest = (1 << 8 * ITEM_BYTES[entry.kind]) - 1
            held = self._tags.layout.integers(entry.kind, *(min(max(number, 0), largest) for number in numbers))
            self._block[entry.at : entry.at + entry.size] = held.data

    def _set_density(self, tag: int, density: Fraction | None) -> None:
        if not density:
            return
        if density.numerator > LARGEST:
            density = Fraction(min(round(density), LARGEST))
        elif density.denominator > LARGEST:
            density = density.limit_denominator(LARGEST)
        numbers = density.as_integer_ratio()
        struct.pack_into(self._tags.layout.order + "II", self._block, self._tags.entries[tag].at, *numbers)
