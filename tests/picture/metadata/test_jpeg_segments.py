from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.layout import SHORT, UNDEFINED, Layout, Value
from restore_cli.picture.reading import read_picture

ORIENTATION, MAKER_NOTE = 0x0112, 0x927C


def exif_block(orientation: int, note: bytes, *, tags_last: bool = False) -> bytes:
    """Make a block whose tags stand before the note or behind it."""
    layout = Layout()
    behind = 8 + len(note) if tags_last else 8
    writer = DirectoryWriter(layout, behind)
    tags = {ORIENTATION: Value(SHORT, struct.pack("<H", orientation))}
    if tags_last:
        writer.add(tags)
        return b"II*\0" + layout.offset.pack(behind) + note + bytes(writer.content)
    writer.add(tags | {MAKER_NOTE: Value(UNDEFINED, note)})
    return b"II*\0" + layout.offset.pack(8) + bytes(writer.content)


def with_exif(jpeg: bytes, block: bytes, part: int = 65_527) -> bytes:
    """Put a block into a JPEG, in as many segments as it takes, as cameras and other programs do."""
    parts = [b"Exif\0\0" + block[at : at + part] for at in range(0, len(block), part)]
    return jpeg[:2] + b"".join(struct.pack(">HH", 0xFFE1, len(each) + 2) + each for each in parts) + jpeg[2:]


@pytest.mark.parametrize("tags_last", [False, True])
@pytest.mark.parametrize("part", [60_000, 65_527])
def test_exif_in_several_segments_is_put_together(part: int, tags_last: bool, samples: np.ndarray, save: Any) -> None:
    block = exif_block(6, b"N" * 150_000, tags_last=tags_last)
    picture = read_picture(with_exif(save(samples, "JPEG"), block, part))
    assert picture.notes == ()
    assert (picture.width, picture.height) == (40, 60)
    assert picture.metadata.exif == block.replace(
        struct.pack("<HHIH", ORIENTATION, SHORT, 1, 6), struct.pack("<HHIH", ORIENTATION, SHORT, 1, 1)
    )


def test_a_second_block_is_no_part_of_the_first(samples: np.ndarray, save: Any) -> None:
    first, second = exif_block(6, b"first"), exif_block(3, b"second")
    picture = read_picture(with_exif(with_exif(save(samples, "JPEG"), second), first))
    assert (picture.width, picture.height) == (40, 60)
    assert picture.metadata.exif is not None
    assert len(picture.metadata.exif) == len(first)
