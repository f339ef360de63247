"""Write a `Picture` as a file: all of it or nothing."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pyvips

from restore_cli.errors import UnwritablePictureError
from restore_cli.picture import colour, netpbm, pillow, vips
from restore_cli.picture.formats import Format
from restore_cli.picture.naming import shown
from restore_cli.picture.picture import Metadata, Picture, Samples

TEMPORARY_PREFIX = ".restore-"
"""Beginning of the names of files that are being written."""
PROBE_BYTES = 1 << 16


def write_picture(
    picture: Picture, target: Path, format: Format, *, quality: int | None = None, strip_metadata: bool = False
) -> None:
    """Write `picture` to `target` as `format`, through a temporary file beside it; an existing file is replaced.

    `quality` is 1 to 100 for lossy formats. `strip_metadata` leaves EXIF, XMP and IPTC out; the ICC profile stays,
    since the samples mean nothing without it. Where `target` is a link, the file it leads to is replaced.

    Raises:
        UnwritablePictureError: the folder cannot be written, the disk is full, or the format cannot hold the picture.
    """
    try:
        if "\0" in str(target):
            raise UnwritablePictureError("no file can have this name")
        check_size(picture.width, picture.height, format)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) as file:
            _encode(picture, file, format, target.suffix.lower(), quality, strip_metadata)
    except UnwritablePictureError as error:
        raise UnwritablePictureError(f"cannot write {shown(target)}: {error.message}", error.hint) from error
    except OSError as error:
        raise UnwritablePictureError(f"cannot write {shown(target)}: {error.strerror or error}") from error


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
    except UnwritablePictureError as error:
        raise UnwritablePictureError(f"cannot encode the picture: {error.message}", error.hint) from error
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
    if target.is_symlink():
        target = target.resolve()
    if target.exists() and not target.is_file():
        raise UnwritablePictureError("there is a folder of this name" if target.is_dir() else "it is no ordinary file")
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
    """Encode into an empty file.

    Raises:
        UnwritablePictureError: the encoder failed.
        OSError: the file cannot be written.
    """
    metadata = replace(picture.metadata, icc=_profile_to_write(picture, format))
    if strip_metadata:
        metadata = Metadata(icc=metadata.icc)
    samples = _to_file_samples(picture, format, metadata.icc)
    try:
        if format.codec == "vips":
            vips.encode(samples, metadata if format.metadata else Metadata(), format, quality, file)
        elif format.name == "ppm":
            netpbm.encode(samples, file)
        else:
            pillow.encode(samples, metadata, format, quality, suffix, file)
    except pyvips.Error as error:
        _raise_if_full(file)
        raise UnwritablePictureError(vips.reason(error)) from error
    except ValueError as error:
        raise UnwritablePictureError(str(error)) from error


def _profile_to_write(picture: Picture, format: Format) -> bytes | None:
    """Return the picture's own profile where the format can hold it; without it the colours are written as sRGB."""
    is_held = format.metadata and (format.grey or picture.pixels.shape[2] > 1)
    return picture.metadata.icc if is_held else None


def _to_file_samples(picture: Picture, format: Format, profile: bytes | None) -> Samples:
    """Bring the pixels into the file's colours and depth, and join the alpha or lay the picture on white."""
    depth = stored_depth(picture, format)
    pixels, alpha = picture.pixels, picture.alpha
    if profile and not (pixels.shape[2] == 3 and colour.is_srgb(profile)):
        pixels = colour.out_of_srgb(pixels, profile)
        if picture.beyond_srgb is not None:
            pixels = np.add(pixels, picture.beyond_srgb, dtype=np.int32).clip(0, 65_535).astype(np.uint16)
        alpha = None if alpha is None else colour.to_16_bit(alpha)
    if pixels.shape[2] == 1 and not format.grey:
        pixels = np.repeat(pixels, 3, axis=2)
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
    return colour.to_16_bit(samples) if depth == 16 else colour.to_8_bit(samples)


def _raise_if_full(file: IO[bytes]) -> None:
    """Write some bytes to the file at which an encoder failed: the system then says why, which libvips does not.

    Raises:
        OSError: the disk is full, or failing.
    """
    file.seek(0, io.SEEK_END)
    file.write(bytes(PROBE_BYTES))
    file.flush()
