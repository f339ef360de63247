"""What Pillow does not tell of a JPEG 2000 file: the bits of its samples, its colour profile, EXIF, XMP and IPTC."""

from __future__ import annotations

import struct
from typing import IO

from restore_cli.picture.metadata.boxes import walk_boxes

CODESTREAM = b"\xff\x4f\xff\x51"
"""Markers SOC and SIZ."""
EXIF = b"JpgTiffExif->JP2"
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
"""How the content of a box begins that holds such metadata and is of the kind `uuid` (XMP Specification, part 3)."""
HEAD_OF_COLOURS = 3
"""Bytes of a box `colr` before a profile: the method, a precedence and an approximation."""
HOLD_PROFILE = (b"\2", b"\3")
"""Methods by which it is an ICC profile, restricted or of any kind."""
LARGEST_BLOCK = 1 << 26
"""Bytes of metadata; more is not read."""


def bits_per_sample(file: IO[bytes]) -> int | None:
    """Return the bits of the deepest component (ISO/IEC 15444-1, A.5.1 and I.4); None if the file does not tell."""
    file.seek(0)
    if file.read(4) != CODESTREAM:
        box = next((box for box in walk_boxes(file) if box.kind == b"jp2c"), None)
        if box is None or box.read(4) != CODESTREAM:
            return None
    size = file.read(38)
    if len(size) < 38:
        return None
    depths = file.read(3 * struct.unpack_from(">H", size, 36)[0])[::3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=None)


def read_blocks(file: IO[bytes]) -> dict[bytes, bytes]:
    """Return the metadata before the samples, by EXIF, XMP and IPTC; the first of each."""
    blocks: dict[bytes, bytes] = {}
    for box in walk_boxes(file):
        if box.kind == b"jp2c":
            break
        if box.kind == b"uuid" and box.length <= LARGEST_BLOCK:
            content = box.read()
            blocks.setdefault(content[:16], content[16:])
    return {name: blocks[name] for name in (EXIF, XMP, IPTC) if blocks.get(name)}


def read_profile(file: IO[bytes]) -> bytes | None:
    """Return the ICC profile of the first colour specification that has one (ISO/IEC 15444-1, I.5.3.3)."""
    for header in walk_boxes(file):
        if header.kind == b"jp2h":
            for box in walk_boxes(file, header.at, header.end):
                if box.kind == b"colr" and HEAD_OF_COLOURS < box.length <= LARGEST_BLOCK:
                    content = box.read()
                    if content[:1] in HOLD_PROFILE:
                        return content[HEAD_OF_COLOURS:]
    return None
