from __future__ import annotations

import zlib

import pytest

from restore_cli.picture.metadata.png_text import PACKED, PIECE_BYTES, PLAIN, unpack_text

KEYWORD = b"Title\0\0"


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 10 * PIECE_BYTES])
@pytest.mark.parametrize("pattern", [b"\0", bytes(range(256)) * 7 + b"odd"])
def test_packed_texts_of_any_length_are_unpacked(size: int, pattern: bytes) -> None:
    text = (pattern * (size // len(pattern) + 1))[:size]
    unpacked, taken = unpack_text(PACKED, KEYWORD + zlib.compress(text), size)
    assert unpacked is not None
    assert (unpacked.keyword, unpacked.text, taken) == ("Title", text, size)


@pytest.mark.parametrize("damage", ["cut", "checksum", "too long"])
def test_what_is_unpacked_in_vain_counts(damage: str) -> None:
    size = 20 * PIECE_BYTES
    packed = zlib.compress(bytes(size))
    packed = {"cut": packed[:-6], "checksum": packed[:-4] + b"sums", "too long": packed}[damage]
    unpacked, taken = unpack_text(PACKED, KEYWORD + packed, size - (damage == "too long"))
    assert unpacked is None
    assert size - 2 * PIECE_BYTES <= taken <= size


def test_a_plain_text_that_is_too_long_costs_nothing() -> None:
    assert unpack_text(PLAIN, b"Title\0" + bytes(11), 10) == (None, 0)
