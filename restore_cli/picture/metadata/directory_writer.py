"""Tag directories of TIFF and of EXIF blocks, as they are written."""

from __future__ import annotations

from collections.abc import Mapping

from restore_cli.picture.metadata.layout import ITEM_BYTES, LONG, LONG8, Layout, Value


class DirectoryWriter:
    """Lays directories and their values out one after the other, for a place in a file that is known beforehand."""

    def __init__(self, layout: Layout, start: int | None = None) -> None:
        """`start` is the even position at which `content` will stand, by default behind a header."""
        self.layout = layout
        self.start = layout.header_bytes if start is None else start
        self.content = bytearray()

    def add(self, values: Mapping[int, Value], following: int = 0) -> int:
        """Add a directory, with `following` as the offset of the next one; return its offset."""
        layout = self.layout
        offset = self.start + len(self.content)
        behind = offset + layout.directory_bytes(len(values))
        head, data = bytearray(layout.length.pack(len(values))), bytearray()
        for tag, value in sorted(values.items()):
            head += layout.entry.pack(tag, value.kind, len(value.data) // ITEM_BYTES[value.kind])
            if len(value.data) <= layout.offset.size:
                head += value.data.ljust(layout.offset.size, b"\0")
            else:
                head += layout.offset.pack(behind + len(data))
                data += value.data + bytes(len(value.data) % 2)
        self.content += head + layout.offset.pack(following) + data
        self.content += bytes(len(self.content) % 2)
        return offset

    def add_below(self, values: Mapping[int, Value]) -> Value:
        """Add a directory; return the value of a tag that points to it."""
        return self.layout.integers(LONG8 if self.layout.big else LONG, self.add(values))

    def with_header(self, first: int) -> bytes:
        """Return all that was added as a TIFF or an EXIF block whose first directory is at `first`."""
        return self.layout.header(first) + self.content
