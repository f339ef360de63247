"""How decoders turn the picture of an AVIF or HEIC: by `irot` and `imir` (ISO/IEC 23008-12, 6.5.10 and 6.5.12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from restore_cli.picture.metadata.boxes import walk_boxes
from restore_cli.picture.metadata.exif_geometry import MIRRORED_ACROSS, MIRRORED_DOWN, TRANSPOSED

VERSION_BYTES = 4
"""A version and flags, with which some boxes begin."""
LARGEST_BOX = 1 << 20
"""Bytes; more is not read."""


def read_turn(file: IO[bytes]) -> int:
    """Return the EXIF orientation, 1 to 8, that is undone by decoding; 1 where the file tells of none."""
    transposed = across = down = False
    try:
        for kind, turn in _turns(file):
            if kind == b"imir":
                across, down = across ^ bool(turn & 1), down ^ (not turn & 1)
            for _ in range(turn & 3 if kind == b"irot" else 0):  # quarters, anticlockwise
                transposed, across, down = not transposed, down, not across
    except (struct.error, IndexError, KeyError):  # it is damaged
        return 1
    turned = (transposed, across, down)
    return next(
        orientation
        for orientation in range(1, 9)
        if turned == tuple(orientation in each for each in (TRANSPOSED, MIRRORED_ACROSS, MIRRORED_DOWN))
    )


def _turns(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the number of each turn of the main picture, in the order in which they are done.

    Raises:
        struct.error, IndexError, KeyError: the boxes are damaged or missing.
    """
    meta = {box.kind: box for box in walk_boxes(file)}[b"meta"]
    boxes = {box.kind: box for box in walk_boxes(file, meta.at + VERSION_BYTES, meta.end)}
    main = boxes[b"pitm"].read(LARGEST_BOX)
    (item,) = struct.unpack_from(">I" if main[0] else ">H", main, VERSION_BYTES)
    parts = list(walk_boxes(file, boxes[b"iprp"].at, boxes[b"iprp"].end))
    properties = [box for part in parts if part.kind == b"ipco" for box in walk_boxes(file, part.at, part.end)]
    for part in parts:
        if part.kind == b"ipma":
            for number in _properties_of(item, part.read(LARGEST_BOX)):
                box = properties[number - 1]
                if number and box.kind in (b"irot", b"imir"):
                    yield box.kind, box.read(1)[0]


def _properties_of(item: int, content: bytes) -> Iterator[int]:
    """Yield the numbers, from 1, of the properties that an `ipma` box gives to an item."""
    entry = struct.Struct(">IB" if content[0] else ">HB")
    number, last = (struct.Struct(">H"), 0x7FFF) if content[3] & 1 else (struct.Struct(">B"), 0x7F)
    (entries,) = struct.unpack_from(">I", content, VERSION_BYTES)
    at = VERSION_BYTES + 4
    for _ in range(entries):
        named, count = entry.unpack_from(content, at)
        at += entry.size
        for place in range(at, at + count * number.size, number.size):
            if named == item:
                yield number.unpack_from(content, place)[0] & last
        at += count * number.size
