"""Text chunks of PNG (PNG third edition, section 11.3.3), plain, packed and international."""

from __future__ import annotations

import zlib

PLAIN, PACKED, INTERNATIONAL = b"tEXt", b"zTXt", b"iTXt"
KINDS = (PLAIN, PACKED, INTERNATIONAL)
KEYWORD_BYTES = range(1, 80)
"""Lengths that a keyword may have."""


def unpack_text(kind: bytes, content: bytes, largest: int) -> tuple[str, bytes] | None:
    """Return the keyword and the bytes of the text in a chunk; None if it is damaged or has more than `largest` bytes.

    The language of an international text and the translation of its keyword are left aside.
    """
    keyword, separator, text = content.partition(b"\0")
    if not separator or len(keyword) not in KEYWORD_BYTES:
        return None
    packed = kind == PACKED or (kind == INTERNATIONAL and text[:1] == b"\1")
    if kind == INTERNATIONAL:
        text = text[2:].split(b"\0", 2)[-1]  # behind two flags, the language and the translation
    elif kind == PACKED:
        text = text[1:]
    if packed:
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(text, largest + 1)
        except zlib.error:
            return None
        if not unpacker.eof:
            return None
    return None if len(text) > largest else (keyword.decode("latin-1"), text)


def words_of(kind: bytes, text: bytes) -> str:
    """Return the text of a chunk in letters."""
    return text.decode("utf-8", "replace") if kind == INTERNATIONAL else text.decode("latin-1")


def pack_text(keyword: str, words: str) -> tuple[bytes, bytes]:
    """Return the kind and content of a chunk that is not packed: international only where it must be."""
    try:
        return PLAIN, keyword.encode("latin-1") + b"\0" + words.encode("latin-1")
    except UnicodeEncodeError:
        return INTERNATIONAL, international_text(keyword, words.encode())


def packed_text(keyword: str, text: bytes) -> bytes:
    """Return the content of a packed chunk of `text` in Latin-1."""
    return keyword.encode("latin-1") + b"\0\0" + zlib.compress(text)


def international_text(keyword: str, text: bytes) -> bytes:
    """Return the content of a chunk of `text` in UTF-8: not packed, no language, no translated keyword."""
    return keyword.encode("latin-1") + bytes(5) + text
