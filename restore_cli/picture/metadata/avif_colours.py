"""Which colours an AVIF or HEIC file says to have where it has no profile (ISO/IEC 23000-22, ITU-T H.273)."""

from __future__ import annotations

import struct
from typing import IO

HEAD_BYTES = 1 << 18
"""Boxes about the picture stand before its samples."""
BOX = b"colrnclx"
LIKE_SRGB = frozenset((1, 2)), frozenset((1, 2, 6, 13, 14, 15))
"""Primaries and transfers that are those of sRGB, near enough to pass for them, or not told."""


def has_other_colours(file: IO[bytes]) -> bool:
    """Tell whether the first `nclx` box of a file names primaries or a transfer that are not those of sRGB."""
    file.seek(0)
    _, found, said = file.read(HEAD_BYTES).partition(BOX)
    if not found or len(said) < 4:
        return False
    return any(number not in usual for number, usual in zip(struct.unpack(">HH", said[:4]), LIKE_SRGB, strict=True))
