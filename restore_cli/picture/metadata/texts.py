"""Words that a file says of its picture beside EXIF, XMP and IPTC: text chunks of PNG, comments of JPEG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

COMMENT = "Comment"
"""PNG's keyword for what other formats call a comment."""
NOT_OF_THE_PICTURE = ("date:", "exif:", "Thumb::")
"""How keywords begin under which programs keep the times of a file, or copies of what else it holds."""


@dataclass(frozen=True, slots=True)
class Text:
    """Some words and what they are about."""

    keyword: str
    """1 to 79 characters of Latin-1; those that PNG registers are English: Title, Author, Copyright, Comment ..."""
    words: str
    language: str = ""
    """A tag such as en-GB, where PNG tells it."""
    translation: str = ""
    """The keyword in that language."""


def texts_to_keep(texts: Iterable[Text]) -> tuple[Text, ...]:
    """Return those of `texts` that stay true of the restored picture, each once."""
    return tuple(text for text in dict.fromkeys(texts) if not text.keyword.startswith(NOT_OF_THE_PICTURE))


def decode_comment(content: bytes) -> str:
    """Return text in UTF-8, or, where it is none, in Latin-1."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
