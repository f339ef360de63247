"""Rows of samples in at one end, an image for libvips out at the other, which waits for them.

libvips reads files and not queues, and the plainest file it can read from a stream here is a TIFF that is not
compressed. So a pipe pretends to be one: a header that says where the strips lie, and the samples behind it.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyvips

from restore_cli.picture.picture import Samples

ROWS_PER_STRIP = 16
SHORT, LONG, LONG8 = (3, "H"), (4, "I"), (16, "Q")
"""Types of values in a TIFF: their number there, and their letter in `struct`."""


class PipeClosedError(Exception):
    """Nobody takes rows any more."""


class RowPipe:
    """A picture of known size whose rows one thread puts in, while another encodes the image."""

    def __init__(self, height: int, width: int, bands: int, dtype: np.dtype[Any]) -> None:
        """`bands` is 1 to 4; of 2 and 4 the last is alpha."""
        self._row_bytes = width * bands * dtype.itemsize
        self._header = _tiff_header(height, width, bands, dtype.itemsize, self._row_bytes)
        self._end = len(self._header) + height * self._row_bytes
        self._at = 0
        """Where libvips reads next."""
        self._start = len(self._header)
        """Where the rows begin that are being read."""
        self._reached = self._start
        """Up to where rows have been read."""
        self._content = memoryview(b"")
        self._closed = False
        self._turn = threading.Condition()

    def open(self) -> Any:
        """Return the `pyvips.Image`, which must be read from the top down."""
        self._source = pyvips.SourceCustom()  # kept: libvips does not keep what Python knows of it
        self._source.on_read(self._read)
        self._source.on_seek(self._seek)
        return pyvips.Image.tiffload_source(self._source, access="sequential", fail_on="error")

    def put(self, rows: Samples) -> None:
        """Hand over the next rows (h, width, bands); waits until those before them have been read.

        Raises:
            PipeClosedError: the reader is gone.
        """
        content = np.ascontiguousarray(rows).data.cast("B")
        with self._turn:
            self._turn.wait_for(lambda: self._closed or self._is_read)
            if self._closed:
                raise PipeClosedError
            self._start += len(self._content)
            self._content = content
            self._turn.notify_all()

    def close(self) -> None:
        """Let neither side wait any longer: rows that are missing are an error to libvips."""
        with self._turn:
            self._closed = True
            self._content = memoryview(b"")
            self._turn.notify_all()

    @property
    def _is_read(self) -> bool:
        return self._reached >= self._start + len(self._content)

    def _read(self, size: int) -> memoryview | bytes:
        with self._turn:
            if self._at < len(self._header):
                chunk: memoryview | bytes = self._header[self._at : self._at + size]
            else:
                self._turn.wait_for(
                    lambda: (
                        self._closed
                        or self._at < min(self._start + len(self._content), self._end)
                        or self._at >= self._end
                    )
                )
                begin = self._at - self._start
                chunk = self._content[begin : begin + size] if begin >= 0 else b""  # or what is asked for is gone
                self._reached = max(self._reached, self._at + len(chunk))
                self._turn.notify_all()
            self._at += len(chunk)
            return chunk

    def _seek(self, offset: int, whence: int) -> int:
        with self._turn:
            self._at = offset + (0, self._at, self._end)[whence]
            self._turn.notify_all()
            return self._at


def _tiff_header(height: int, width: int, bands: int, item_bytes: int, row_bytes: int) -> bytes:
    """Return what stands before the samples of a BigTIFF (little-endian, as the samples are here)."""
    strips = -(-height // ROWS_PER_STRIP)
    is_colour, has_alpha = bands > 2, bands in (2, 4)
    tags: list[tuple[int, tuple[int, str], Iterable[int]]] = [
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [8 * item_bytes] * bands),
        (259, SHORT, [1]),  # not compressed
        (262, SHORT, [2 if is_colour else 1]),  # RGB, or black is zero
        (273, LONG8, []),  # where strips begin; filled in below
        (277, SHORT, [bands]),
        (278, LONG, [ROWS_PER_STRIP]),
        (279, LONG8, (min(ROWS_PER_STRIP, height - ROWS_PER_STRIP * i) * row_bytes for i in range(strips))),
        (284, SHORT, [1]),  # samples of a pixel lie together
        *([(338, SHORT, [2])] if has_alpha else []),  # alpha, not multiplied in
    ]
    directory_bytes = 16 + 8 + 20 * len(tags) + 8
    samples_at = directory_bytes + 2 * 8 * strips
    tags[5] = (273, LONG8, (samples_at + ROWS_PER_STRIP * i * row_bytes for i in range(strips)))
    entries, behind = b"", b""
    for tag, (kind, letter), values in tags:
        numbers = list(values)
        content = struct.pack(f"<{len(numbers)}{letter}", *numbers)
        if len(content) > 8:
            content, behind = struct.pack("<Q", directory_bytes + len(behind)), behind + content
        entries += struct.pack("<HHQ", tag, kind, len(numbers)) + content.ljust(8, b"\0")
    head = struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(tags)) + entries + bytes(8) + behind
    return head.ljust(samples_at, b"\0")
