"""Comments, XMP and a profile in a GIF, which libvips does not read.

GIF89a, sections 24 and 26; XMP Specification, part 3; ICC.1:2022, annex B.
"""

from __future__ import annotations

from typing import IO, NamedTuple

from restore_cli.picture.metadata.texts import COMMENT, Text, decode_comment

LARGEST_FILE = 1 << 26
"""Bytes; more is not read."""
EXTENSION, IMAGE = 0x21, 0x2C
COMMENT_LABEL, APPLICATION_LABEL = 0xFE, 0xFF
XMP = b"\x0bXMP DataXMP"
"""How the extension begins that holds it; the packet itself is not cut into parts with lengths."""
ICC = b"\x0bICCRGBG1012"
TRAILER_BYTES = 258
"""Behind a packet, by which programs that take its letters for lengths find the end."""


class GifBlocks(NamedTuple):
    """What a GIF says besides its samples."""

    comments: list[Text]
    xmp: bytes | None
    icc: bytes | None


def read_blocks(file: IO[bytes]) -> GifBlocks:
    """Read the blocks of a GIF."""
    file.seek(0)
    content = file.read(LARGEST_FILE)
    comments, xmp, icc = [], None, None
    try:
        at = 13 + _table_bytes(content[10])
        while content[at] in (EXTENSION, IMAGE):
            start = at + 2 if content[at] == EXTENSION else at + 11 + _table_bytes(content[at + 9])
            parts, end = _parts(content, start)
            if content[at:start] == bytes((EXTENSION, COMMENT_LABEL)):
                comments.append(decode_comment(b"".join(parts).rstrip(b"\0")))
            elif content[at:start] == bytes((EXTENSION, APPLICATION_LABEL)) and content.startswith(XMP, start):
                xmp = content[start + len(XMP) : end - TRAILER_BYTES] or None
            elif content[at:start] == bytes((EXTENSION, APPLICATION_LABEL)) and content.startswith(ICC, start):
                icc = b"".join(parts[1:]) or None
            at = end
    except IndexError:  # it is cut
        pass
    return GifBlocks([Text(COMMENT, comment) for comment in comments if comment], xmp, icc)


def _table_bytes(flags: int) -> int:
    """Return the bytes of the table of colours that follows."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _parts(content: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the parts that lie at `at`, each behind its length, and where the last one, which is empty, ends.

    Raises:
        IndexError: there is no last one.
    """
    parts = []
    while length := content[at]:
        parts.append(content[at + 1 : at + 1 + length])
        at += 1 + length
    return parts, at + 1
