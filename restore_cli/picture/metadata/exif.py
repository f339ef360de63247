"""EXIF blocks: made true for an upright picture of another size, and otherwise left byte for byte.

Maker notes hold offsets that count from the start of the block, so what lies in a block is changed in its place and
never moved (Exif 2.32, section 4.5).
"""

from __future__ import annotations

import struct

from restore_cli.picture.metadata.directory import (
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    Buffer,
    Directory,
    DirectoryWriter,
    Entry,
    Layout,
    Value,
    read_directory,
    read_header,
    read_integers,
    read_value,
)
from restore_cli.picture.metadata.exif_geometry import TRANSPOSED, Geometry, Size

PREFIX = b"Exif\0\0"
"""Stands before the block in JPEG, and by mistake elsewhere."""
HEADERS = (b"II*\0", b"MM\0*")
"""What a block begins with."""
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
"""Tags that point to directories of their own."""
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
WIDTHS, HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
"""ImageWidth and PixelXDimension, ImageLength and PixelYDimension."""
PIXEL_DATA = ((0x0201, 0x0202), (0x0111, 0x0117))
"""Tags of where a thumbnail's bytes lie, and how many they are: JPEG, and uncompressed."""
DESCRIPTIVE = frozenset(
    {
        *(0x000B, 0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298),
        *(0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0xC4A5, 0xC614, 0xC62F),
    }
)
"""Tags of a first directory that describe the picture and not how its samples are stored: description, camera,
software, date, artist, computer, rating, copyright, the titles and keywords of Windows, print matching, serial number.
"""
INCH, CENTIMETRE = 2, 3
MILLIMETRES_BY_UNIT = {INCH: 25.4, CENTIMETRE: 10.0}


def upright_exif(block: bytes, size: Size | None = None) -> bytes:
    """Set the orientation to upright and take the thumbnail out; the prefix of JPEG goes as well.

    Where rows become columns, the horizontal and the vertical resolution change places. With a picture that is turned,
    and of `size` now, places in it are turned, too.

    Raises:
        ValueError: the block is damaged.
    """
    upright = bytearray(block.removeprefix(PREFIX))
    layout, offset = read_header(upright)
    if layout.big:
        raise ValueError("an EXIF block is no BigTIFF")
    first = read_directory(upright, offset, layout)
    if _transposes(upright, first, layout):
        _swap(upright, first.entries[X_RESOLUTION], first.entries[Y_RESOLUTION])
    geometry = _geometry(upright, offset, layout)
    if geometry is not None and size is not None:
        geometry.turn(orientation_of(bytes(upright)), size)
    if ORIENTATION in first.entries:
        _set_integer(upright, first.entries[ORIENTATION], 1, layout)
    if first.next:
        upright[first.next_at : first.next_at + layout.offset.size] = bytes(layout.offset.size)
        _remove_pixels(upright, first.next, layout)
        read_directory(upright, offset, layout)  # a damaged block may call its own tags a thumbnail
    return bytes(upright)


def sized_exif(block: bytes, size: Size, before: Size | None = None) -> bytes:
    """Set the width and height in pixels wherever an upright block states them.

    Where it is known which size the picture had before, places in it and the density of its pixels are scaled.
    """
    width, height = size
    sized = bytearray(block)
    layout, offset = read_header(sized)
    group = _pointer(sized, offset, EXIF, layout)
    places = [offset] if group is None else [offset, group]
    for entries in [read_directory(sized, place, layout).entries for place in places]:
        for tag in entries.keys() & {*WIDTHS, *HEIGHTS}:
            _set_integer(sized, entries[tag], width if tag in WIDTHS else height, layout)
    geometry = _geometry(sized, offset, layout)
    if geometry is not None and before is not None:
        geometry.scale(before, size)
    return bytes(sized)


def orientation_of(block: bytes) -> int:
    """Return the orientation, 1 to 8, that a block states; 1 where it states none.

    Raises:
        ValueError: the block is damaged.
    """
    orientation = _integer_at(block.removeprefix(PREFIX), ORIENTATION)
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1


def resolution_of(block: bytes) -> tuple[float, float] | None:
    """Return the horizontal and vertical resolution in pixels per millimetre; None where a block states none.

    Raises:
        ValueError: the block is damaged.
    """
    layout, offset = read_header(block)
    entries = read_directory(block, offset, layout).entries
    densities = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        if tag not in entries or entries[tag].kind != RATIONAL or entries[tag].count != 1:
            return None
        above, below = struct.unpack(layout.order + "II", read_value(block, entries[tag]).data)
        densities.append(above / below if below else 0)
    millimetres = MILLIMETRES_BY_UNIT.get(_integer_at(block, RESOLUTION_UNIT) or INCH, 0)
    if millimetres == 0 or min(densities) <= 0:
        return None
    return densities[0] / millimetres, densities[1] / millimetres


def resolution_exif(pixels_per_mm: tuple[float, float]) -> bytes:
    """Make a block that states the resolution and nothing else."""
    layout = Layout()
    writer = DirectoryWriter(layout, 8)
    offset = writer.add(_resolution_values(pixels_per_mm, layout))
    return b"II*\0" + layout.offset.pack(offset) + bytes(writer.content)


def with_resolution(block: bytes, pixels_per_mm: tuple[float, float]) -> bytes:
    """Let a block state the resolution if it states none: in a new first directory behind it, as nothing may move."""
    layout, offset = read_header(block)
    values = _values(block, offset, layout, layout)
    if X_RESOLUTION in values:
        return block
    block += bytes(len(block) % 2)
    writer = DirectoryWriter(layout, len(block))
    first = writer.add(values | _resolution_values(pixels_per_mm, layout))
    return block[:4] + layout.offset.pack(first) + block[8:] + bytes(writer.content)


def exif_of_tiff(file: Buffer) -> bytes | None:
    """Gather the descriptive tags of a TIFF's first image into a block of their own; None if there are none.

    Raises:
        ValueError: the directory of the first image is damaged.
    """
    source, offset = read_header(file)
    target = Layout(source.order)
    writer = DirectoryWriter(target, 8)
    values = described_values(file, offset, source, writer)
    if not values:
        return None
    header = b"II*\0" if target.order == "<" else b"MM\0*"
    return header + target.offset.pack(writer.add(values)) + bytes(writer.content)


def described_values(block: Buffer, offset: int, layout: Layout, writer: DirectoryWriter) -> dict[int, Value]:
    """Return the descriptive values of the directory at `offset`, its EXIF and GPS tags added to `writer` already.

    Raises:
        ValueError: the directory is damaged; one it points to is merely left out.
    """
    values = _values(block, offset, layout, writer.layout)
    described = {tag: value for tag, value in values.items() if tag in DESCRIPTIVE}
    for tag in (EXIF, GPS):
        place = _pointer(block, offset, tag, layout)
        if place is None:
            continue
        group = _values(block, place, layout, writer.layout)
        inner = _pointer(block, place, INTEROPERABILITY, layout) if tag == EXIF else None
        group.pop(INTEROPERABILITY, None)
        if inner is not None:
            group[INTEROPERABILITY] = _offset_value(writer.add(_values(block, inner, layout, writer.layout)), writer)
        described[tag] = _offset_value(writer.add(group), writer)
    return described


def _resolution_values(pixels_per_mm: tuple[float, float], layout: Layout) -> dict[int, Value]:
    across, down = (struct.pack(layout.order + "II", round(1000 * density), 100) for density in pixels_per_mm)
    return {
        X_RESOLUTION: Value(RATIONAL, across),
        Y_RESOLUTION: Value(RATIONAL, down),
        RESOLUTION_UNIT: Value(SHORT, struct.pack(layout.order + "H", CENTIMETRE)),
    }


def _values(block: Buffer, offset: int, source: Layout, target: Layout) -> dict[int, Value]:
    entries = read_directory(block, offset, source).entries
    return {tag: read_value(block, entry).in_order(source, target) for tag, entry in entries.items() if entry.count}


def _offset_value(offset: int, writer: DirectoryWriter) -> Value:
    return Value(LONG8 if writer.layout.big else LONG, writer.layout.offset.pack(offset))


def _integer_at(block: Buffer, tag: int) -> int | None:
    """Return a whole number from the first directory; None if it is not there."""
    layout, offset = read_header(block)
    numbers = read_integers(block, read_directory(block, offset, layout).entries.get(tag), layout)
    return numbers[0] if numbers else None


def _pointer(block: Buffer, offset: int, tag: int, layout: Layout) -> int | None:
    """Return where the directory lies that `tag` points to; None if there is none that can be read."""
    places = read_integers(block, read_directory(block, offset, layout).entries.get(tag), layout)
    if not places:
        return None
    try:
        read_directory(block, places[0], layout)
    except ValueError:
        return None
    return places[0]


def _geometry(block: bytearray, offset: int, layout: Layout) -> Geometry | None:
    group = _pointer(block, offset, EXIF, layout)
    return None if group is None else Geometry(block, offset, group, layout)


def _set_integer(block: bytearray, entry: Entry, number: int, layout: Layout) -> None:
    """Make an entry one whole number of 16 bits, or of 32 where it is larger."""
    kind = SHORT if number <= 0xFFFF else LONG
    described = struct.pack(layout.order + "HI" + ("H2x" if kind == SHORT else "I"), kind, 1, number)
    block[entry.described_at + 2 : entry.described_at + 12] = described


def _transposes(block: Buffer, first: Directory, layout: Layout) -> bool:
    """Tell whether rows become columns, and both resolutions are there to change places."""
    orientations = read_integers(block, first.entries.get(ORIENTATION), layout)
    across, down = (first.entries.get(tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    are_alike = across is not None and down is not None and across.size == down.size
    return are_alike and bool(orientations) and orientations[0] in TRANSPOSED


def _swap(block: bytearray, one: Entry, other: Entry) -> None:
    """Let two values of one size change places."""
    first, second = (slice(entry.at, entry.at + entry.size) for entry in (one, other))
    block[first], block[second] = block[second], block[first]


def _remove_pixels(block: bytearray, offset: int, layout: Layout) -> None:
    """Wipe the bytes of the thumbnail that the directory at `offset` describes, and cut them off at the end."""
    try:
        entries = read_directory(block, offset, layout).entries
    except ValueError:
        return
    for starts, sizes in PIXEL_DATA:
        pieces = [read_integers(block, entries.get(tag), layout) for tag in (starts, sizes)]
        for start, size in sorted(zip(*pieces, strict=False), reverse=True):
            end = start + size
            if 8 <= start < end < len(block):
                block[start:end] = bytes(size)
            elif 8 <= start < len(block) <= end:
                del block[start:]
