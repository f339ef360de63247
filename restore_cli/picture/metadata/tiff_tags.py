"""Descriptive, EXIF, GPS and IPTC tags of a TIFF, which libvips neither reads nor writes whole."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from restore_cli.picture.metadata.directory import (
    UNDEFINED,
    Buffer,
    DirectoryWriter,
    Value,
    read_directory,
    read_header,
    read_value,
)
from restore_cli.picture.metadata.exif import described_values, exif_of_tiff
from restore_cli.picture.metadata.iptc import records_of

IPTC, PHOTOSHOP = 0x83BB, 0x8649
GEOTIFF = frozenset((0x830E, 0x8482, 0x85D8, 0x87AF))
"""Tags that place a picture on a map: the scale of pixels, points, a transformation, and what they count in."""


def read_tags(file: IO[bytes]) -> tuple[bytes | None, bytes | None]:
    """Return the EXIF block that the tags of a TIFF's first image make, and its IPTC records.

    Raises:
        ValueError: the directory of the first image is damaged.
    """
    with mapped(file) as content:
        layout, offset = read_header(content)
        entries = read_directory(content, offset, layout).entries
        blocks = [read_value(content, entries[tag]).data for tag in (IPTC, PHOTOSHOP) if tag in entries]
        iptc = next((records for block in blocks if (records := records_of(block))), None)
        return exif_of_tiff(content), iptc


def is_on_a_map(file: IO[bytes]) -> bool:
    """Tell whether a TIFF has tags of GeoTIFF.

    Raises:
        ValueError: the directory of the first image is damaged.
    """
    with mapped(file) as content:
        layout, offset = read_header(content)
        return not GEOTIFF.isdisjoint(read_directory(content, offset, layout).entries)


def append_tags(file: IO[bytes], exif: bytes | None, iptc: bytes | None) -> None:
    """Give the first image of a TIFF the descriptive tags of an upright EXIF block, and IPTC records.

    A new first directory is put at the end of the file and linked from the header; nothing else is touched. Offsets
    inside a maker note that count from the start of the EXIF block lose their meaning, as in every TIFF.
    """
    if exif is None and iptc is None:
        return
    with mapped(file) as content:
        layout, offset = read_header(content)
        directory = read_directory(content, offset, layout)
        values = {tag: read_value(content, entry) for tag, entry in directory.entries.items()}
        end = len(content)
    writer = DirectoryWriter(layout, end + end % 2)
    if exif is not None:
        source, first = read_header(exif)
        values |= described_values(exif, first, source, writer)
    if iptc is not None:
        values[IPTC] = Value(UNDEFINED, iptc)
    new = writer.add(values, directory.next)
    file.seek(end)
    file.write(bytes(end % 2) + writer.content)
    file.seek(8 if layout.big else 4)
    file.write(layout.offset.pack(new))


@contextmanager
def mapped(file: IO[bytes]) -> Iterator[Buffer]:
    """Give the bytes of a file without reading all of them."""
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
        return
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content
