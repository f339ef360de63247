"""IPTC records, bare as TIFF holds them, and in the resource block of Photoshop as JPEG holds them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

PHOTOSHOP = b"Photoshop 3.0\0"
RESOURCE = b"8BIM"
RECORDS = 0x0404
"""Identifier of the resource that holds IPTC records; the others are previews and settings of the program."""
OTHERS = {"copyright flag": (0x040A,), "URL": (0x040B,), "paths": range(0x07D0, 0x0BB7)}
"""Identifiers of others that are about the picture."""
RECORD_MARKER = 0x1C


def records_of(block: bytes) -> bytes | None:
    """Return the IPTC records in `block`, which may be bare or among Photoshop's resources; None if there are none."""
    if block[:1] == bytes([RECORD_MARKER]):
        return block
    return next((data for identifier, data in _resources(block) if identifier == RECORDS and data), None)


def other_resources(block: bytes) -> tuple[str, ...]:
    """Name those of Photoshop's resources in `block` that are about the picture, but for IPTC records."""
    said = {identifier for identifier, data in _resources(block) if any(data)}
    return tuple(name for name, identifiers in OTHERS.items() if not said.isdisjoint(identifiers))


def photoshop_block(records: bytes) -> bytes:
    """Wrap IPTC records as JPEG holds them."""
    padding = bytes(len(records) % 2)
    return PHOTOSHOP + RESOURCE + struct.pack(">HHI", RECORDS, 0, len(records)) + records + padding


def _resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the identifier and content of each of Photoshop's resources."""
    at = len(PHOTOSHOP) if block.startswith(PHOTOSHOP) else 0
    while block[at : at + 4] == RESOURCE and at + 12 <= len(block):
        identifier, name_length = struct.unpack_from(">HB", block, at + 4)
        at += 6 + (name_length + 2) // 2 * 2
        if at + 4 > len(block):
            return
        (size,) = struct.unpack_from(">I", block, at)
        yield identifier, block[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
