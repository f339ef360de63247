"""Regions in XMP packets, such as faces: turned with the picture, by replacing numbers alone.

They are shares of the picture as it is stored: areas of the Metadata Working Group (mwg-rs), which say where their
middle lies, and rectangles of Microsoft (MPReg), which say where their corner lies. What cannot be read stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from restore_cli.picture.metadata.exif_geometry import MIRRORED_ACROSS, MIRRORED_DOWN, TRANSPOSED, WidthHeight
from restore_cli.picture.metadata.xmp_elements import change_elements, element_pattern

AREA, DIMENSIONS = element_pattern(rb"mwg-rs:Area"), element_pattern(rb"mwg-rs:AppliedToDimensions")
VALUE = re.compile(rb"""((?<!/)st(?:Area|Dim):(x|y|w|h)\s*(?:=\s*["']|>\s*))([^"'<>]*)""")
RECTANGLE = re.compile(rb"""(MPReg:Rectangle\s*(?:=\s*["']|>\s*))([^"'<>]*)""")
OTHER_UNIT = re.compile(rb"""st(?:Area|Dim):unit\s*(?:=\s*["']|>\s*)(?!normalized|pixel|["'<])""")


def turn_regions(packet: bytes, orientation: int) -> bytes:
    """Turn the regions of a picture that had an EXIF orientation, 1 to 8, and is upright now, and its dimensions."""
    if orientation == 1:
        return packet
    if orientation in TRANSPOSED:
        packet = change_elements(packet, DIMENSIONS, _transposed)
    packet = change_elements(packet, AREA, lambda area: _turned_area(area, orientation))
    return RECTANGLE.sub(lambda found: found[1] + _turned_rectangle(found[2], orientation), packet)


def size_regions(packet: bytes, size: WidthHeight) -> bytes:
    """Set the width and height in pixels of the picture that regions belong to."""
    told = {b"w": b"%d" % size[0], b"h": b"%d" % size[1]}
    return change_elements(packet, DIMENSIONS, lambda said: said if OTHER_UNIT.search(said) else _put(said, told))


def _transposed(dimensions: bytes) -> bytes:
    values = _values(dimensions)
    if not values.keys() >= {b"w", b"h"}:
        return dimensions
    return _put(dimensions, {b"w": values[b"h"], b"h": values[b"w"]})


def _turned_area(area: bytes, orientation: int) -> bytes:
    values = _values(area)
    names = [name for name in (b"x", b"y", b"w", b"h") if name in values]
    numbers = _numbers([values[name] for name in names])
    if numbers is None or names not in ([b"x", b"y"], [b"x", b"y", b"w", b"h"]) or OTHER_UNIT.search(area):
        return area
    return _put(area, dict(zip(names, _turned(numbers, orientation, is_middle=True), strict=True)))


def _turned_rectangle(text: bytes, orientation: int) -> bytes:
    numbers = _numbers(text.split(b",", 4))
    if numbers is None or len(numbers) != 4:
        return text
    return b", ".join(_turned(numbers, orientation, is_middle=False))


def _turned(numbers: Sequence[Decimal], orientation: int, *, is_middle: bool) -> list[bytes]:
    """Turn a place, across and down, and what extends from it or around it, if anything does."""
    step = -1 if orientation in TRANSPOSED else 1
    place, extent = list(numbers[:2][::step]), list(numbers[2:][::step])
    for axis, mirrored in enumerate((MIRRORED_ACROSS, MIRRORED_DOWN)):
        if orientation in mirrored:
            place[axis] = 1 - place[axis] - (0 if is_middle else extent[axis])
    return [str(number).encode() for number in place + extent]


def _numbers(texts: Sequence[bytes]) -> list[Decimal] | None:
    try:
        numbers = [Decimal(text.decode("ascii").strip()) for text in texts]
        return numbers if all(abs(number) <= 1 for number in numbers) else None
    except (InvalidOperation, UnicodeDecodeError):  # nothing is at most NaN, either
        return None


def _values(element: bytes) -> dict[bytes, bytes]:
    return {found[2]: found[3].strip() for found in VALUE.finditer(element)}


def _put(element: bytes, values: Mapping[bytes, bytes]) -> bytes:
    return VALUE.sub(lambda found: found[1] + values.get(found[2], found[3]), element)
