"""XMP packets: made true for an upright picture of another size, by replacing text alone."""

from __future__ import annotations

import re
from fractions import Fraction

from restore_cli.picture.metadata.xmp_elements import change_elements, element_pattern
from restore_cli.picture.metadata.xmp_regions import size_regions, turn_regions

ORIENTATION = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)\d+""")
WIDTH = re.compile(rb"""((?:tiff:ImageWidth|exif:PixelXDimension)\s*(?:=\s*["']|>)\s*)\d+""")
HEIGHT = re.compile(rb"""((?:tiff:ImageLength|exif:PixelYDimension)\s*(?:=\s*["']|>)\s*)\d+""")
PANORAMA = tuple(
    re.compile(
        rb"(GPano:(?:FullPano%(along)s|CroppedAreaImage%(along)s|CroppedArea%(from)s)Pixels"
        rb"""\s*(?:=\s*["']|>)\s*)(\d{1,9})""" % names
    )
    for names in ({b"along": b"Width", b"from": b"Left"}, {b"along": b"Height", b"from": b"Top"})
)
"""Numbers of pixels across and down (Google's Photo Sphere XMP Metadata)."""
ELSEWHERE = rb"hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*|xmpNote:HasExtendedXMP"
ELEMENTS_LEFT = element_pattern(rb"xmp:Thumbnails|G?Container:Directory|" + ELSEWHERE)
ATTRIBUTES_LEFT = re.compile(rb"\s(?:" + ELSEWHERE + rb""")\s*=\s*(?:"[^"]*"|'[^']*')""")
"""Thumbnails, and what speaks of pictures, videos and further XMP that lie elsewhere in a JPEG; they are not copied."""


def upright_xmp(packet: bytes, orientation: int) -> bytes:
    """Set the orientation to upright, and take out thumbnails and mentions of what is not copied with the picture.

    Regions are turned by the `orientation` that the picture was turned by.
    """
    packet = ATTRIBUTES_LEFT.sub(b"", change_elements(packet, ELEMENTS_LEFT, lambda element: b""))
    return turn_regions(ORIENTATION.sub(rb"\g<1>1", packet), orientation)


def sized_xmp(packet: bytes, size: tuple[int, int], before: tuple[int, int] | None = None) -> bytes:
    """Set the width and height in pixels wherever the packet states them.

    Where it is known which size the picture had before, what is said of the panorama that it is part of is scaled.
    """
    packet = HEIGHT.sub(b"\\g<1>%d" % size[1], WIDTH.sub(b"\\g<1>%d" % size[0], packet))
    for numbers, new, old in zip(PANORAMA, size, before or size, strict=True):
        packet = _scaled(packet, numbers, Fraction(new, old))
    return size_regions(packet, size)


def _scaled(packet: bytes, numbers: re.Pattern[bytes], factor: Fraction) -> bytes:
    return numbers.sub(lambda found: b"%s%d" % (found[1], round(int(found[2]) * factor)), packet)
