"""Views of one scene that stand behind each other in a JPEG: stereo pairs, panoramas (CIPA DC-007, MPF)."""

from __future__ import annotations

import struct
from typing import IO

from restore_cli.picture.metadata.directory import read_first_directory
from restore_cli.picture.metadata.jpeg_segments import APP, contents

APP2, PREFIX, ENTRIES, ENTRY_BYTES = APP[2], b"MPF\0", 0xB002, 16
KIND, VIEWS = 0xFFFFFF, range(0x020001, 0x020004)
"""Bits of an entry that say what a picture is, and what they say of views; others are previews and gain maps."""


def count_views(file: IO[bytes]) -> int:
    """Return of how many views of a scene a JPEG tells; 1 where it tells of none, or what it tells is damaged."""
    for content in contents(file, APP2):
        if not content.startswith(PREFIX):
            continue
        try:
            first = read_first_directory(content[len(PREFIX) :])
        except ValueError:
            return 1
        entries, number = first.data(ENTRIES), struct.Struct(f"{first.layout.order}I")
        starts = range(0, len(entries) - ENTRY_BYTES + 1, ENTRY_BYTES)
        kinds = [number.unpack_from(entries, start)[0] & KIND for start in starts]
        return max(1, sum(kind in VIEWS for kind in kinds))
    return 1
