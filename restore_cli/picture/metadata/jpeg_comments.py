"""Comments in JPEG files (ITU-T T.81, B.2.4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from restore_cli.picture.metadata.jpeg_segments import APP, COM, LARGEST_SEGMENT, contents, insert_segments
from restore_cli.picture.metadata.texts import COMMENT, Text


def read_comments(file: IO[bytes]) -> list[Text]:
    """Return the comments that stand before the samples."""
    comments = [decode_comment(content.rstrip(b"\0")) for content in contents(file, COM)]
    return [Text(COMMENT, comment) for comment in comments if comment]


def fits_jpeg(text: Text) -> bool:
    """Tell whether JPEG has a place for `text`."""
    return text.keyword == COMMENT and len(text.words.encode()) <= LARGEST_SEGMENT


def insert_comments(file: IO[bytes], comments: Sequence[Text]) -> None:
    """Put texts that JPEG has a place for into a finished file, behind the segments of applications."""
    insert_segments(file, COM, [comment.words.encode() for comment in comments], behind=APP)


def decode_comment(content: bytes) -> str:
    """Return text in UTF-8, or, where it is none, in Latin-1."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
