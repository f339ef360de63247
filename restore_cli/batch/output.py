"""Where the result of a picture goes as it is made: it is kept if it is small, written at once if it is large."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from restore_cli.batch.outcome import Stopwatch
from restore_cli.errors import DeviceError, UnwritablePictureError
from restore_cli.memory import GIBIBYTE, MemoryBudget
from restore_cli.picture.formats import PNG, Format, format_by_name
from restore_cli.picture.opening import open_picture
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import OTHER_FORMAT_HINT, Add, check_size, copy_picture, encoding, writing
from restore_cli.scratch import LARGEST_IN_MEMORY, open_scratch

WHOLE_BYTES_PER_PIXEL = 10
"""Bytes of memory that a pixel takes, about, where a format is encoded in one piece."""
COPIED_BYTES = 1 << 20


class Output:
    """Takes the bands of a result: keeps one that is all of it, writes those of a larger one as they come."""

    def __init__(self, height: int, open_target: Callable[[], Add]) -> None:
        self.first: Picture | None = None
        self.seconds = 0.0
        """Spent writing."""
        self._height = height
        self._open_target = open_target
        self._add: Add | None = None

    @property
    def is_written(self) -> bool:
        """Whether the result goes to its target already."""
        return self._add is not None

    def __call__(self, band: Picture) -> None:
        watch = Stopwatch()
        self.first = self.first or band
        if band.height < self._height:
            self._add = self._add or self._open_target()
            self._add(band)
        self.seconds += watch.lap()


def check_result(height: int, width: int, format: Format, memory: MemoryBudget) -> None:
    """Refuse a result that the format or, encoded in one piece, the memory cannot hold.

    Raises:
        UnwritablePictureError: a side is longer than the format allows.
        DeviceError: there is not enough memory.
    """
    check_size(format, height, width)
    needed, free = WHOLE_BYTES_PER_PIXEL * height * width, memory.free()
    if not format.streams and needed > free:
        raise DeviceError(
            f"{format.name.upper()} is encoded in one piece: {width}x{height} pixels take about "
            f"{needed / GIBIBYTE:.1f} GiB of memory, and {free / GIBIBYTE:.1f} GiB are free",
            OTHER_FORMAT_HINT,
        )


def writing_result(
    target: Path | None, height: int, width: int, format: Format, **options: Any
) -> AbstractContextManager[Add]:
    """Write a picture to `target`, or to standard output where that is None; `options` are those of `encoding`."""
    if target is None:
        return writing_standard_output(height, width, format, **options)
    return writing(target, height, width, format, **options)


@contextmanager
def writing_standard_output(height: int, width: int, format: Format, **options: Any) -> Iterator[Add]:
    """Write a picture to standard output once it is whole; what is large lies in a scratch file until then.

    Raises:
        UnwritablePictureError: there is no such file, or as `encoding` and `copy_to_standard_output` do.
        BrokenPipeError: nobody reads standard output any more.
    """
    is_large = WHOLE_BYTES_PER_PIXEL * height * width > LARGEST_IN_MEMORY
    with open_scratch() if is_large else io.BytesIO() as file:
        with encoding(file, height, width, format, **options) as add:
            yield add
        file.seek(0)
        copy_to_standard_output(file)


def hand_on(
    source: Path | bytes, target: Path | None, format: Format | None, *, max_pixels: int, **options: Any
) -> None:
    """Write a picture that is left alone to `target`, or to standard output where that is None.

    A file that is of the format is copied, unless the `options` strip metadata.
    """
    picture = read_picture(source, max_pixels=max_pixels)
    if (format is None or picture.format == format.name) and not options["strip_metadata"]:
        copy_result(source, target)
        return
    format = format or format_by_name(picture.format) or PNG
    with writing_result(target, picture.height, picture.width, format, **options) as add:
        add(picture)


def copy_result(source: Path | bytes, target: Path | None) -> None:
    """Let a copy of a picture's file be its result, at `target` or, where that is None, on standard output."""
    if target is not None:
        copy_picture(source, target)
        return
    with open_picture(source) as file:
        copy_to_standard_output(file)


def copy_to_standard_output(file: IO[bytes]) -> None:
    """Write what is left of `file` to standard output.

    Raises:
        UnwritablePictureError: it cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        while part := memoryview(file.read(COPIED_BYTES)):
            while part:  # standard output without a buffer may take less than it is given
                part = part[sys.stdout.buffer.write(part) :]
        sys.stdout.buffer.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UnwritablePictureError(f"cannot write standard output: {error.strerror}") from error
