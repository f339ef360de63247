"""Metadata in the chunks of PNG (PNG third edition, section 5).

libvips looks no further than the first samples, and writes XMP as Latin-1; the XMP specification wants UTF-8.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO

SIGNATURE_BYTES, HEADER_BYTES = 8, 25
"""What every PNG begins with: its signature, and the chunk IHDR."""
EXIF, ICC, TEXT, PACKED_TEXT = b"eXIf", b"iCCP", b"iTXt", b"zTXt"
XMP_KEYWORD = b"XML:com.adobe.xmp\0"
LARGEST_CHUNK = 1 << 28
"""Bytes; more is not read."""
MOVED_BYTES = 1 << 20


def read_chunks(file: IO[bytes]) -> tuple[bytes | None, bytes | None, bool]:
    """Return the EXIF block and the XMP packet of a PNG, and whether it holds an ICC profile, however damaged."""
    exif = xmp = None
    has_profile = False
    for kind, length, at in _chunks(file):
        has_profile = has_profile or kind == ICC
        if kind not in (EXIF, TEXT, PACKED_TEXT) or length > LARGEST_CHUNK:
            continue
        file.seek(at)
        content = file.read(length)
        if kind == EXIF:
            exif = content
        elif content.startswith(XMP_KEYWORD):
            xmp = _text_of(kind, content) or xmp
    return exif, xmp, has_profile


def insert_chunks(file: IO[bytes], exif: bytes | None, xmp: bytes | None) -> None:
    """Put metadata into a finished PNG, before its samples, where all programs look for it."""
    chunks = _chunk(EXIF, exif) if exif else b""
    if xmp:
        chunks += _chunk(TEXT, XMP_KEYWORD + bytes(4) + xmp)  # not packed; no language, no translated keyword
    if chunks:
        _insert(file, SIGNATURE_BYTES + HEADER_BYTES, chunks)


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, length and position of each chunk's content."""
    at = SIGNATURE_BYTES
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, length, at + 8
        at += length + 12


def _text_of(kind: bytes, content: bytes) -> bytes | None:
    text = content[len(XMP_KEYWORD) :]
    packed = kind == PACKED_TEXT or text[:1] == b"\1"
    text = text[2:].split(b"\0", 2)[-1] if kind == TEXT else text[1:]  # behind the flags, language and translation
    if not packed:
        return text
    try:
        return zlib.decompressobj().decompress(text, LARGEST_CHUNK)
    except zlib.error:
        return None


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _insert(file: IO[bytes], at: int, content: bytes) -> None:
    """Move all from `at` on towards the end, the last part first, and write `content` there."""
    end = file.seek(0, 2)
    while end > at:
        start = max(at, end - MOVED_BYTES)
        file.seek(start)
        moved = file.read(end - start)
        file.seek(start + len(content))
        file.write(moved)
        end = start
    file.seek(at)
    file.write(content)
