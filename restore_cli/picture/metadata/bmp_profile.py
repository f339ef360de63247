"""The colour profile in a BMP with a header of version 5 (BITMAPV5HEADER of wingdi.h)."""

from __future__ import annotations

import struct
from typing import IO

FILE_HEADER_BYTES, HEADER_BYTES = 14, 124
COLOURS = slice(56, 60)
EMBEDDED = b"DEBM"
"""What stands there where the file holds the profile itself: `MBED`, as a number with its low byte first."""
PROFILE_AT = 112
"""Position of two numbers: where the profile lies, from the beginning of the header, and how many bytes it has."""
LARGEST_PROFILE = 1 << 26


def read_profile(file: IO[bytes]) -> bytes | None:
    """Return the ICC profile; None where the file holds none, or is cut."""
    file.seek(FILE_HEADER_BYTES)
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or struct.unpack_from("<I", header)[0] < HEADER_BYTES or header[COLOURS] != EMBEDDED:
        return None
    at, length = struct.unpack_from("<II", header, PROFILE_AT)
    file.seek(FILE_HEADER_BYTES + at)
    profile = file.read(min(length, LARGEST_PROFILE))
    return profile if len(profile) == length > 0 else None
