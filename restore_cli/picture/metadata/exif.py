"""EXIF blocks: made true for an upright picture of another size, and otherwise left byte for byte.

Maker notes hold offsets that count from the start of the block, so what lies in a block is changed in its place and
never moved (Exif 2.32, section 4.5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from restore_cli.picture.metadata.directory import Directory, Entry, read_first_directory
from restore_cli.picture.metadata.exif_geometry import TRANSPOSED, Geometry, WidthHeight
from restore_cli.picture.metadata.exif_resolution import X_RESOLUTION, Y_RESOLUTION
from restore_cli.picture.metadata.layout import LONG, SHORT, Layout

PREFIX = b"Exif\0\0"
"""Stands before the block in JPEG, and by mistake elsewhere."""
HEADERS = (Layout("<").magic, Layout(">").magic)
"""What a block begins with."""
HEADER_BYTES = Layout().header_bytes
EXIF = 0x8769
"""The tag that points to the directory of a camera's tags."""
ORIENTATION = 0x0112
WIDTHS, HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
"""ImageWidth and PixelXDimension, ImageLength and PixelYDimension."""
PIXEL_DATA = ((0x0201, 0x0202), (0x0111, 0x0117))
"""Tags of where a thumbnail's bytes lie, and how many they are: JPEG, and uncompressed."""


def upright_exif(block: bytes, size: WidthHeight, orientation: int) -> bytes:
    """Set the orientation to upright and take the thumbnail out; the prefix of JPEG goes as well.

    The picture was turned by `orientation` and is of `size` now: places in it are turned, too, and where rows become
    columns, the horizontal and the vertical resolution change places.

    Raises:
        ValueError: the block is damaged.
    """
    upright = bytearray(block.removeprefix(PREFIX))
    first = read_first_directory(upright)
    if first.layout.big:
        raise ValueError("an EXIF block is no BigTIFF")
    if orientation in TRANSPOSED:
        _swap(upright, first.entries.get(X_RESOLUTION), first.entries.get(Y_RESOLUTION))
    group = first.below(EXIF)
    if group is not None:
        Geometry(upright, first, group).turn(orientation, size)
    if ORIENTATION in first.entries:
        _set_integer(upright, first.entries[ORIENTATION], 1, first.layout)
    if first.next:
        upright[first.next_at : first.end] = bytes(first.end - first.next_at)
        _remove_pixels(upright, first.at(first.next))
    read_first_directory(upright)  # values of a damaged block may lie in its directory
    return bytes(upright)


def sized_exif(block: bytes, size: WidthHeight, before: WidthHeight | None = None) -> bytes:
    """Set the width and height in pixels wherever an upright block states them.

    Where it is known which size the picture had before, places in it and the density of its pixels are scaled.
    """
    width, height = size
    sized = bytearray(block)
    first = read_first_directory(sized)
    group = first.below(EXIF)
    for directory in [first] if group is None else [first, group]:
        for tag in directory.entries.keys() & {*WIDTHS, *HEIGHTS}:
            _set_integer(sized, directory.entries[tag], width if tag in WIDTHS else height, directory.layout)
    if group is not None and before is not None:
        Geometry(sized, first, group).scale(before, size)
    return bytes(sized)


def orientation_of(block: bytes) -> int:
    """Return the orientation, 1 to 8, that a block states; 1 where it states none.

    Raises:
        ValueError: the block is damaged.
    """
    orientation = read_first_directory(block.removeprefix(PREFIX)).integer(ORIENTATION)
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1


def _set_integer(block: bytearray, entry: Entry, number: int, layout: Layout) -> None:
    """Make an entry one whole number of 16 bits, or of 32 where it is larger."""
    kind = SHORT if number <= 0xFFFF else LONG
    described = struct.pack(layout.order + "HI" + ("H2x" if kind == SHORT else "I"), kind, 1, number)
    block[entry.described_at + 2 : entry.described_at + 12] = described


def _swap(block: bytearray, one: Entry | None, other: Entry | None) -> None:
    """Let two values change places, if both are there and of one size."""
    if one is not None and other is not None and one.size == other.size:
        first, second = (slice(entry.at, entry.at + entry.size) for entry in (one, other))
        block[first], block[second] = block[second], block[first]


def _remove_pixels(block: bytearray, thumbnail: Directory | None) -> None:
    """Wipe the bytes of the thumbnail that a directory describes, and cut them off at the end."""
    if thumbnail is None:
        return
    pieces = [
        piece
        for starts, sizes in PIXEL_DATA
        for piece in reversed(_joined(zip(thumbnail.integers(starts), thumbnail.integers(sizes), strict=False)))
    ]
    for start, end in pieces:
        if end < len(block):
            block[start:end] = bytes(end - start)
        else:
            del block[start:]


def _joined(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return where pieces, each a start and a size, start and end, in order; those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, size in sorted(pieces):
        if start < HEADER_BYTES or not size:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], start + size)
        else:
            joined.append((start, start + size))
    return joined
