"""Write a `Picture` as a file: all of it or nothing."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from restore_cli.errors import UnwritablePictureError, UsageError
from restore_cli.files.naming import shown
from restore_cli.files.replacing import folders_for, replacing
from restore_cli.picture.deep_zoom import replacing_pyramid
from restore_cli.picture.encoding import Encoder
from restore_cli.picture.formats import DEEP_ZOOM, Format, find_format, format_of_path
from restore_cli.picture.opening import explained, open_picture
from restore_cli.picture.picture import Picture, check_picture
from restore_cli.picture.unwritable import OTHER_PLACE_HINT, told_as

OTHER_FORMAT_HINT = "choose TIFF or PNG with --format"
"""The hint for what a format cannot hold."""
Add = Callable[[Picture], None]
"""Takes the next rows of a picture."""


@contextmanager
def writing(
    target: Path,
    height: int,
    width: int,
    format: Format,
    *,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> Iterator[Add]:
    """Write a picture that comes in bands of its rows to `target`; an existing file is replaced when all have come.

    `quality` is 1 to 100 for lossy formats; WebP and JPEG 2000 lose nothing with 100. `strip_metadata` leaves EXIF,
    XMP and IPTC out; the ICC profile stays, since the samples mean nothing without it. Where `target` is a link, the
    file it leads to is replaced. That the place can be written is known before the first band comes.

    Raises:
        UsageError: there is no such quality.
        FullDiskError: the disk is full.
        UnwritablePictureError: the folder cannot be written, or the format cannot hold the picture.
    """
    with told_as(f"cannot write {shown(target)}", OTHER_PLACE_HINT):
        if "\0" in str(target):
            raise UnwritablePictureError("no file can have this name")
        check_size(format, height, width)
        place: AbstractContextManager[IO[bytes] | Path] = (
            replacing_pyramid(target) if format is DEEP_ZOOM else replacing(target)
        )
        with folders_for(target), place as file:
            encoder = Encoder(file, height, width, format, target.suffix.lower(), quality, strip=strip_metadata)
            with _finished(encoder) as add:
                yield add


@contextmanager
def encoding(
    file: IO[bytes],
    height: int,
    width: int,
    format: Format,
    *,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> Iterator[Add]:
    """Write a picture that comes in bands of its rows to an empty file that can be read; else as `writing`.

    Raises:
        UsageError: there is no such quality.
        UnwritablePictureError: the file cannot be written, or the format cannot hold the picture.
    """
    check_size(format, height, width)
    encoder = Encoder(file, height, width, format, format.suffixes[0], quality, strip=strip_metadata)
    with told_as("cannot encode the picture"), _finished(encoder) as add:
        yield add


def copy_picture(source: Path | bytes, target: Path) -> None:
    """Write a copy of a picture's file to `target`, as safely as `writing` does.

    Raises:
        UnreadablePictureError: the file cannot be opened.
        FullDiskError, UnwritablePictureError: as `writing` does.
    """
    with (
        explained(source),
        open_picture(source) as original,
        told_as(f"cannot write {shown(target)}", OTHER_PLACE_HINT),
        folders_for(target),
        replacing(target) as file,
    ):
        shutil.copyfileobj(original, file)


def write_picture(
    picture: Picture,
    target: Path | str,
    format: Format | str | None = None,
    *,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> None:
    """Write a whole picture, as `writing` does.

    `format` may be the name of one, such as png; None is the one for which the name of `target` stands.

    Raises:
        UsageError: there is no such format or quality, or it is no picture or path.
        UnwritablePictureError: as `writing` does; or the name stands for no format.
    """
    check_picture(picture)
    if not isinstance(target, str | os.PathLike):
        raise UsageError(f"a target is a path, not {type(target).__name__}", "encode_picture returns a file's bytes")
    target = Path(target)
    format = find_format(format) if isinstance(format, str) else format or format_of_path(target)
    if format is None:
        raise UnwritablePictureError(f"cannot write {shown(target)}: its name stands for no format")
    with writing(target, picture.height, picture.width, format, quality=quality, strip_metadata=strip_metadata) as add:
        add(picture)


def encode_picture(
    picture: Picture, format: Format | str, *, quality: int | None = None, strip_metadata: bool = False
) -> bytes:
    """Return the bytes of the file that `write_picture` would write; `read_picture` takes them.

    Raises:
        UsageError: there is no such format or quality, or the format is many files.
        UnwritablePictureError: the format cannot hold the picture.
    """
    check_picture(picture)
    format = find_format(format) if isinstance(format, str) else format
    if format is DEEP_ZOOM:
        raise UsageError("a Deep Zoom picture is many files, which are not the bytes of one", "use write_picture")
    file, size = io.BytesIO(), (picture.height, picture.width)
    with encoding(file, *size, format, quality=quality, strip_metadata=strip_metadata) as add:
        add(picture)
    return file.getvalue()


def check_size(format: Format, height: int, width: int) -> None:
    """Refuse a size that `format` cannot hold.

    Raises:
        UnwritablePictureError: a side is longer than the format allows, or there are too many pixels.
    """
    name = format.name.upper()
    if format.max_side is not None and max(width, height) > format.max_side:
        raise UnwritablePictureError(
            f"{width}x{height} is more than the {format.max_side:,} pixels a side that {name} can hold",
            OTHER_FORMAT_HINT,
        )
    if format.max_bytes is not None and 3 * width * height > format.max_bytes:
        raise UnwritablePictureError(
            f"{width}x{height} is more than the {format.max_bytes // 3:,} pixels that {name} can hold",
            OTHER_FORMAT_HINT,
        )


@contextmanager
def _finished(encoder: Encoder) -> Iterator[Add]:
    try:
        yield encoder.add
        encoder.finish()
    except BaseException:
        encoder.abandon()
        raise
