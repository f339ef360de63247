"""What Pillow does not tell of a JPEG 2000 file: the bits of its samples, its colour profile, EXIF, XMP and IPTC."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

CODESTREAM = b"\xff\x4f\xff\x51"
"""Markers SOC and SIZ."""
EXIF = b"JpgTiffExif->JP2"
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
"""How the content of a box begins that holds such metadata and is of the kind `uuid` (XMP Specification, part 3)."""
HEAD_OF_COLOURS = 3
"""Bytes of a box `colr` before a profile: the method, a precedence and an approximation."""
HOLD_PROFILE = (2, 3)
"""Methods by which it is an ICC profile, restricted or of any kind."""
LARGEST_BLOCK = 1 << 26
"""Bytes of metadata; more is not read."""


def bits_per_sample(file: IO[bytes]) -> int | None:
    """Return the bits of the deepest component (ISO/IEC 15444-1, A.5.1 and I.4); None if the file does not tell."""
    file.seek(0)
    if file.read(4) != CODESTREAM and not _enter_codestream(file):
        return None
    size = file.read(38)
    if len(size) < 38:
        return None
    depths = file.read(3 * struct.unpack_from(">H", size, 36)[0])[::3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=None)


def read_blocks(file: IO[bytes]) -> dict[bytes, bytes]:
    """Return the metadata before the samples, by EXIF, XMP and IPTC; the first of each."""
    blocks: dict[bytes, bytes] = {}
    for kind, at, length in _boxes(file):
        if kind == b"jp2c":
            break
        if kind == b"uuid" and length is not None and length <= LARGEST_BLOCK:
            file.seek(at)
            content = file.read(length)
            blocks.setdefault(content[:16], content[16:])
    return {name: blocks[name] for name in (EXIF, XMP, IPTC) if blocks.get(name)}


def read_profile(file: IO[bytes]) -> bytes | None:
    """Return the ICC profile of the first colour specification that has one (ISO/IEC 15444-1, I.5.3.3)."""
    for kind, at, length in _boxes(file):
        if kind == b"jp2h" and length is not None:
            for inner, place, size in _boxes(file, at, at + length):
                if inner == b"colr" and size is not None and HEAD_OF_COLOURS < size <= LARGEST_BLOCK:
                    file.seek(place)
                    content = file.read(size)
                    if content[0] in HOLD_PROFILE:
                        return content[HEAD_OF_COLOURS:]
    return None


def _enter_codestream(file: IO[bytes]) -> bool:
    """Go from box to box until behind the first markers of the codestream; False if there is none."""
    for kind, at, _ in _boxes(file):
        if kind == b"jp2c":
            file.seek(at)
            return file.read(4) == CODESTREAM
    return False


def _boxes(file: IO[bytes], at: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int | None]]:
    """Yield the kind, position and length of the content of each box between `at` and `end`.

    There is no length where a box goes on to the end of the file.
    """
    while end is None or at < end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        header_bytes = 8
        if length == 1 and len(head) == 16:
            length, header_bytes = struct.unpack_from(">Q", head, 8)[0], 16
        yield kind, at + header_bytes, length - header_bytes if length >= header_bytes else None
        if length < header_bytes:
            return
        at += length
