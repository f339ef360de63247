"""Write a `Picture` as a file: all of it or nothing."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pyvips

from restore_cli.errors import UnwritablePictureError
from restore_cli.picture import colour, pillow, vips
from restore_cli.picture.formats import Format
from restore_cli.picture.picture import Metadata, Picture, Samples

TEMPORARY_PREFIX = ".restore-"
"""Beginning of the names of files that are being written."""


def write_picture(
    picture: Picture, target: Path, format: Format, *, quality: int | None = None, strip_metadata: bool = False
) -> None:
    """Write `picture` to `target` as `format`, through a temporary file beside it; an existing file is replaced.

    `quality` is 1 to 100 for lossy formats. `strip_metadata` leaves EXIF, XMP and IPTC out; the ICC profile stays,
    since the samples mean nothing without it.

    Raises:
        UnwritablePictureError: the folder cannot be written, the disk is full, or the format cannot hold the picture.
    """
    try:
        check_size(picture.width, picture.height, format)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) as file:
            _encode(picture, file, format, target.suffix.lower(), quality, strip_metadata)
    except UnwritablePictureError as error:
        raise UnwritablePictureError(f"cannot write {target}: {error.message}", error.hint) from error
    except pyvips.Error as error:
        raise UnwritablePictureError(f"cannot write {target}: {_disk_reason(target) or vips.reason(error)}") from error
    except OSError as error:
        raise UnwritablePictureError(f"cannot write {target}: {error.strerror or error}") from error


def encode_picture(
    picture: Picture, format: Format, *, quality: int | None = None, strip_metadata: bool = False
) -> bytes:
    """Return the bytes of the file that `write_picture` would write.

    Raises:
        UnwritablePictureError: the format cannot hold the picture.
    """
    check_size(picture.width, picture.height, format)
    file = io.BytesIO()
    try:
        _encode(picture, file, format, format.suffixes[0], quality, strip_metadata)
    except pyvips.Error as error:
        raise UnwritablePictureError(f"cannot encode as {format.name}: {vips.reason(error)}") from error
    return file.getvalue()


def check_size(width: int, height: int, format: Format) -> None:
    """Refuse a size that `format` cannot hold.

    Raises:
        UnwritablePictureError: a side is longer than the format allows.
    """
    if format.max_side is not None and max(width, height) > format.max_side:
        raise UnwritablePictureError(
            f"{width}x{height} is more than the {format.max_side:,} pixels a side that {format.name.upper()} can hold",
            "choose TIFF or PNG with --format",
        )


def stored_depth(picture: Picture, format: Format) -> int:
    """Return the bits per sample, 8 or 16, with which `picture` is stored as `format`."""
    return picture.depth if picture.depth in format.depths else 8


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """Open a new file beside `target`; once it is whole and on the disk it takes the target's place."""
    temporary = target.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.part")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _encode(
    picture: Picture, file: IO[bytes], format: Format, suffix: str, quality: int | None, strip_metadata: bool
) -> None:
    metadata = picture.metadata
    if strip_metadata:
        metadata = Metadata(icc=metadata.icc, pixels_per_mm=metadata.pixels_per_mm)
    samples = _to_file_samples(picture, format)
    if format.codec == "pillow":
        pillow.encode(samples, format, quality, suffix, file)
        return
    try:
        target = pyvips.Target.new_to_descriptor(file.fileno())
    except io.UnsupportedOperation:
        target = pyvips.Target.new_to_memory()
        vips.encode(samples, metadata, format, quality, target)
        file.write(target.get("blob"))
    else:
        vips.encode(samples, metadata, format, quality, target)


def _to_file_samples(picture: Picture, format: Format) -> Samples:
    """Bring the pixels into the file's colours and depth, and join the alpha or lay the picture on white."""
    depth = stored_depth(picture, format)
    pixels, alpha = picture.pixels, picture.alpha
    if picture.metadata.icc and format.metadata and not colour.is_srgb(picture.metadata.icc):
        own = colour.out_of_srgb(pixels, picture.metadata.icc)
        if picture.beyond_srgb is not None:
            own += picture.beyond_srgb
        pixels = own.clip(0, 65_535).astype(np.uint16)
    if alpha is not None and not format.alpha:
        pixels, alpha = _on_white(pixels, alpha), None
    samples = pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)
    return _to_depth(samples, depth)


def _on_white(pixels: Samples, alpha: Samples) -> Samples:
    white = np.float32(np.iinfo(pixels.dtype).max)
    cover = alpha[..., None].astype(np.float32) / white
    laid: Samples = np.rint(pixels * cover + white * (1 - cover)).astype(pixels.dtype)
    return laid


def _to_depth(samples: Samples, depth: int) -> Samples:
    if 8 * samples.itemsize == depth:
        return samples
    if depth == 16:
        return colour.to_16_bit(samples)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _disk_reason(target: Path) -> str | None:
    """Say that the disk is full where that is why an encoder failed; libvips itself does not tell."""
    try:
        space = os.statvfs(target.parent)
    except (OSError, AttributeError):
        return None
    return "no space left on the device" if space.f_bavail * space.f_frsize < 65_536 else None
