"""Text chunks of PNG (PNG third edition, section 11.3.3), plain, packed and international."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import NamedTuple

from restore_cli.picture.metadata.texts import Text

PLAIN, PACKED, INTERNATIONAL = b"tEXt", b"zTXt", b"iTXt"
KINDS = (PLAIN, PACKED, INTERNATIONAL)
KEYWORD_BYTES = range(1, 80)
"""Lengths that a keyword may have."""
PIECE_BYTES = 1 << 16
"""Bytes that are unpacked at once, at most."""


class Unpacked(NamedTuple):
    """What a chunk holds."""

    keyword: str
    text: bytes
    language: str = ""
    translation: str = ""


def unpack_text(kind: bytes, content: bytes, largest: int) -> tuple[Unpacked | None, int]:
    """Return the content of a chunk, and how many bytes were unpacked or kept for it.

    The content is None if it is damaged, or its text has more than `largest` bytes.
    """
    keyword, separator, text = content.partition(b"\0")
    if not separator or len(keyword) not in KEYWORD_BYTES:
        return None, 0
    language = translation = ""
    packed = kind == PACKED or (kind == INTERNATIONAL and text[:1] == b"\1")
    if kind == INTERNATIONAL:
        *about, text = text[2:].split(b"\0", 2)  # behind two flags
        language, translation = (word.decode("utf-8", "replace") for word in (*about, b"", b"")[:2])
    elif kind == PACKED:
        text = text[1:]
    if packed:
        text, is_whole = _unpack(text, largest)
        if not is_whole:
            return None, len(text)
    if len(text) > largest:
        return None, 0
    return Unpacked(keyword.decode("latin-1"), text, language, translation), len(text)


def words_of(kind: bytes, text: bytes) -> str:
    """Return the text of a chunk in letters."""
    return text.decode("utf-8", "replace") if kind == INTERNATIONAL else text.decode("latin-1")


def pack_text(text: Text) -> tuple[bytes, bytes]:
    """Return the kind and content of a chunk that is not packed: international only where it must be."""
    if not text.language and not text.translation:
        with suppress(UnicodeEncodeError):
            return PLAIN, text.keyword.encode("latin-1") + b"\0" + text.words.encode("latin-1")
    return INTERNATIONAL, international_text(text.keyword, text.words.encode(), text.language, text.translation)


def packed_text(keyword: str, text: bytes) -> bytes:
    """Return the content of a packed chunk of `text` in Latin-1."""
    return keyword.encode("latin-1") + b"\0\0" + zlib.compress(text)


def international_text(keyword: str, text: bytes, language: str = "", translation: str = "") -> bytes:
    """Return the content of a chunk of `text` in UTF-8, not packed."""
    return keyword.encode("latin-1") + bytes(3) + language.encode() + b"\0" + translation.encode() + b"\0" + text


def _unpack(packed: bytes, largest: int) -> tuple[bytes, bool]:
    """Unpack a text until it has more than `largest` bytes or is damaged; tell whether it is whole.

    This goes piece by piece, as an error says nothing of what was unpacked before it.
    """
    unpacker, file, text = zlib.decompressobj(), io.BytesIO(packed), bytearray()
    with suppress(zlib.error):
        while not unpacker.eof and len(text) <= largest:
            piece = unpacker.unconsumed_tail or file.read(PIECE_BYTES)
            if not piece:
                break
            text += unpacker.decompress(piece, PIECE_BYTES)
    return bytes(text), unpacker.eof and len(text) <= largest
