"""Which colours an AVIF or HEIC file says to have where it has no profile (ISO/IEC 23000-22, ITU-T H.273)."""

from __future__ import annotations

import struct
from typing import IO

HEAD_BYTES = 1 << 18
"""Boxes about the picture stand before its samples."""
BOX = b"colrnclx"
LIKE_SRGB = frozenset((1, 2)), frozenset((1, 2, 6, 13, 14, 15))
"""Primaries and transfers that are those of sRGB, near enough to pass for them, or not told."""


def read_colours(file: IO[bytes]) -> tuple[int, int] | None:
    """Return the primaries and the transfer that the first `nclx` box of a file names; None where there is none."""
    file.seek(0)
    _, found, said = file.read(HEAD_BYTES).partition(BOX)
    return struct.unpack(">HH", said[:4]) if found and len(said) >= 4 else None


def is_like_srgb(colours: tuple[int, int]) -> bool:
    """Tell whether primaries and a transfer may pass for those of sRGB."""
    return all(number in usual for number, usual in zip(colours, LIKE_SRGB, strict=True))
