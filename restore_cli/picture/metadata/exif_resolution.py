"""How dense the pixels of a picture lie, as EXIF blocks tell (TIFF 6.0, section 8)."""

from __future__ import annotations

import struct

from restore_cli.picture.metadata.density import INCH, Density, density, per_inch
from restore_cli.picture.metadata.directory import Directory, read_first_directory
from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.layout import RATIONAL, SHORT, Layout, Value

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
PER_INCH, PER_CENTIMETRE = 2, 3
MILLIMETRES_BY_UNIT = {PER_INCH: INCH, PER_CENTIMETRE: 10.0}


def resolution_of(block: bytes) -> tuple[float, float] | None:
    """Return the horizontal and vertical resolution in pixels per millimetre; None where a block states none.

    Raises:
        ValueError: the block is damaged.
    """
    return density_in(read_first_directory(block)).pixels_per_mm


def density_in(first: Directory) -> Density:
    """Return what the first directory of a TIFF or a block states; without a unit it speaks of inches."""
    across, down = (first.rational(tag) or 0 for tag in (X_RESOLUTION, Y_RESOLUTION))
    return density(across, down, MILLIMETRES_BY_UNIT.get(first.integer(RESOLUTION_UNIT) or PER_INCH))


def resolution_exif(pixels_per_mm: tuple[float, float]) -> bytes:
    """Make a block that states the resolution and nothing else."""
    writer = DirectoryWriter(Layout())
    return writer.with_header(writer.add(_resolution_values(pixels_per_mm, writer.layout)))


def with_resolution(block: bytes, pixels_per_mm: tuple[float, float]) -> bytes:
    """Let a block state the resolution if it states none: in a new first directory behind it, as nothing may move."""
    first = read_first_directory(block)
    layout = first.layout
    values = first.values(layout)
    if X_RESOLUTION in values:
        return block
    block += bytes(len(block) % 2)
    writer = DirectoryWriter(layout, len(block))
    header = layout.header(writer.add(values | _resolution_values(pixels_per_mm, layout)))
    return header + block[len(header) :] + bytes(writer.content)


def _resolution_values(pixels_per_mm: tuple[float, float], layout: Layout) -> dict[int, Value]:
    across, down = (struct.pack(layout.order + "II", *per_inch(number).as_integer_ratio()) for number in pixels_per_mm)
    return {
        X_RESOLUTION: Value(RATIONAL, across),
        Y_RESOLUTION: Value(RATIONAL, down),
        RESOLUTION_UNIT: layout.integers(SHORT, PER_INCH),
    }
