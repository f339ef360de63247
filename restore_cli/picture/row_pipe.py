"""Rows of samples in at one end, an image for libvips out at the other, which waits for them.

libvips reads files and not queues, and the plainest file it can read from a stream here is a TIFF that is not
compressed. So a pipe pretends to be one: a header that says where the strips lie, and the samples behind it.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyvips

from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.layout import LONG, LONG8, SHORT, Layout
from restore_cli.picture.picture import Samples
from restore_cli.picture.vips import check_process

ROWS_PER_STRIP = 16


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
        check_process()
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
                    lambda: self._closed or self._at < self._start + len(self._content) or self._at >= self._end
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
    strips = [min(ROWS_PER_STRIP, height - row) * row_bytes for row in range(0, height, ROWS_PER_STRIP)]
    is_colour, has_alpha = bands > 2, bands in (2, 4)
    tags: dict[int, tuple[int, list[int]]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [8 * item_bytes] * bands),
        259: (SHORT, [1]),  # not compressed
        262: (SHORT, [2 if is_colour else 1]),  # RGB, or black is zero
        277: (SHORT, [bands]),
        278: (LONG, [ROWS_PER_STRIP]),
        279: (LONG8, strips),
        284: (SHORT, [1]),  # samples of a pixel lie together
    }
    if has_alpha:
        tags[338] = (SHORT, [2])  # not multiplied in
    layout = Layout(big=True)
    samples_at = layout.header_bytes + layout.directory_bytes(len(tags) + 1) + 2 * layout.offset.size * len(strips)
    tags[273] = (LONG8, [samples_at + ROWS_PER_STRIP * row_bytes * strip for strip in range(len(strips))])
    writer = DirectoryWriter(layout)
    first = writer.add({tag: layout.integers(kind, *numbers) for tag, (kind, numbers) in tags.items()})
    return writer.with_header(first).ljust(samples_at, b"\0")
