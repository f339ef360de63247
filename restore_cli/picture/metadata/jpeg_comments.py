"""Comments in JPEG files (ITU-T T.81, B.2.4.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import IO

from restore_cli.picture.metadata.inserting import insert
from restore_cli.picture.metadata.texts import COMMENT, Text

COM, SOS = 0xFE, 0xDA
"""Second bytes of markers: of a comment, and of a scan, which the samples follow."""
APP = range(0xE0, 0xF0)
LARGEST_COMMENT = 65_533
"""Bytes that a segment holds."""


def read_comments(file: IO[bytes]) -> list[Text]:
    """Return the comments that stand before the samples."""
    comments = []
    for marker, at, length in _segments(file):
        if marker == COM:
            file.seek(at)
            comments.append(_decode(file.read(length).rstrip(b"\0")))
    return [Text(COMMENT, comment) for comment in comments if comment]


def fits_jpeg(text: Text) -> bool:
    """Tell whether JPEG has a place for `text`."""
    return text.keyword == COMMENT and len(text.words.encode()) <= LARGEST_COMMENT


def insert_comments(file: IO[bytes], comments: Sequence[Text]) -> None:
    """Put texts that JPEG has a place for into a finished file, behind the segments of applications."""
    if not comments:
        return
    contents = [comment.words.encode() for comment in comments]
    segments = b"".join(struct.pack(">BBH", 0xFF, COM, len(content) + 2) + content for content in contents)
    at = 2
    for marker, start, length in _segments(file):
        if marker not in APP:
            break
        at = start + length
    insert(file, at, segments)


def _segments(file: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, position and length of the content of each segment before the samples."""
    at = 2
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == SOS:
            return
        if head[1] == 0xFF:  # a byte of filling
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        yield head[1], at + 4, max(length - 2, 0)
        at += 2 + max(length, 2)


def _decode(content: bytes) -> str:
    """Return text in UTF-8, or, where it is none, in Latin-1."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
