"""XMP packets: made true for an upright picture of another size, by replacing text alone."""

from __future__ import annotations

import re

ORIENTATION = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)\d+""")
WIDTH = re.compile(rb"""((?:tiff:ImageWidth|exif:PixelXDimension)\s*(?:=\s*["']|>)\s*)\d+""")
HEIGHT = re.compile(rb"""((?:tiff:ImageLength|exif:PixelYDimension)\s*(?:=\s*["']|>)\s*)\d+""")
ELSEWHERE = rb"hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*|xmpNote:HasExtendedXMP"
LEFT_BEHIND = re.compile(
    rb"<(xmp:Thumbnails|(?:G?Container):Directory|" + ELSEWHERE + rb")(?=[\s/>])(?:[^<>]*/>|.*?</\1\s*>)|"
    rb"\s(?:" + ELSEWHERE + rb""")\s*=\s*(?:"[^"]*"|'[^']*')""",
    re.DOTALL,
)
"""Thumbnails, and what speaks of pictures, videos and further XMP that lie elsewhere in a JPEG; they are not copied."""


def upright_xmp(packet: bytes) -> bytes:
    """Set the orientation to upright, and take out thumbnails and mentions of what is not copied with the picture."""
    return ORIENTATION.sub(rb"\g<1>1", LEFT_BEHIND.sub(b"", packet))


def sized_xmp(packet: bytes, width: int, height: int) -> bytes:
    """Set the width and height in pixels wherever the packet states them."""
    return HEIGHT.sub(b"\\g<1>%d" % height, WIDTH.sub(b"\\g<1>%d" % width, packet))
