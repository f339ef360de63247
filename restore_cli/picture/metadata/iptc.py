"""IPTC records, bare as TIFF holds them, and in the resource block of Photoshop as JPEG holds them."""

from __future__ import annotations

import struct

PHOTOSHOP = b"Photoshop 3.0\0"
RESOURCE = b"8BIM"
RECORDS = 0x0404
"""Identifier of the resource that holds IPTC records; the others are previews and settings of the program."""
RECORD_MARKER = 0x1C


def records_of(block: bytes) -> bytes | None:
    """Return the IPTC records in `block`, which may be bare or among Photoshop's resources; None if there are none."""
    if block[:1] == bytes([RECORD_MARKER]):
        return block
    at = len(PHOTOSHOP) if block.startswith(PHOTOSHOP) else 0
    while block[at : at + 4] == RESOURCE and at + 12 <= len(block):
        identifier, name_length = struct.unpack_from(">HB", block, at + 4)
        at += 6 + (name_length + 2) // 2 * 2
        if at + 4 > len(block):
            break
        (size,) = struct.unpack_from(">I", block, at)
        records = block[at + 4 : at + 4 + size]
        if identifier == RECORDS and records:
            return records
        at += 4 + size + size % 2
    return None


def photoshop_block(records: bytes) -> bytes:
    """Wrap IPTC records as JPEG holds them."""
    padding = bytes(len(records) % 2)
    return PHOTOSHOP + RESOURCE + struct.pack(">HHI", RECORDS, 0, len(records)) + records + padding
