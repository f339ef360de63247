"""Read a file into a `Picture`: upright, sRGB or grey, 8 or 16 bits, with everything needed to write it back."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyvips

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture import colour, vips
from restore_cli.picture.formats import MAX_PIXELS
from restore_cli.picture.picture import Metadata, Picture, Samples
from restore_cli.picture.pillow import PillowImage

XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>))\s*\d")


def read_picture(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read the first picture of a file, or of the bytes of one.

    Raises:
        UnreadablePictureError: the file is missing, empty, damaged, of no known format, or has too many pixels.
    """
    name = str(source) if isinstance(source, Path) else "standard input"
    try:
        return _read_with_vips(source, max_pixels) or _read_with_pillow(source, max_pixels)
    except UnreadablePictureError as error:
        raise UnreadablePictureError(f"cannot read {name}: {error.message}", error.hint) from error
    except OSError as error:
        raise UnreadablePictureError(f"cannot read {name}: {error.strerror or error}") from error


def _open(source: Path | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _read_with_vips(source: Path | bytes, max_pixels: int) -> Picture | None:
    with _open(source) as file:
        if not file.read(1):
            raise UnreadablePictureError("the file is empty")
        file.seek(0)
        opened = vips.open_source(_vips_source(file))
        if opened is None:
            return None
        image, format = opened
        _check_size(image.width, image.height, max_pixels)
        notes = _note_pages(image.get("n-pages") if image.get_typeof("n-pages") else 1)
        metadata = vips.metadata_of(image)
        if metadata.xmp:
            metadata = replace(metadata, xmp=XMP_ORIENTATION.sub(rb"\g<1>1", metadata.xmp))
        return _finish(_decode(image), metadata, format, cmyk=image.interpretation == "cmyk", notes=notes)


def _read_with_pillow(source: Path | bytes, max_pixels: int) -> Picture:
    with _open(source) as file:
        image = PillowImage(file)
        _check_size(image.width, image.height, max_pixels)
        notes = _note_pages(image.pages)
        return _finish(image.decode(), image.metadata(), image.format, cmyk=image.cmyk, notes=notes)


def _vips_source(file: IO[bytes]) -> Any:
    try:
        return pyvips.Source.new_from_descriptor(file.fileno())
    except io.UnsupportedOperation:
        return pyvips.Source.new_from_memory(file.read())


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise UnreadablePictureError(
            f"{width}x{height} pixels are more than the limit of {max_pixels:,}",
            "if the file can be trusted, raise the limit with --max-pixels",
        )


def _note_pages(pages: int) -> tuple[str, ...]:
    return (f"only the first of {pages} pages or frames is used",) if pages > 1 else ()


def _decode(image: Any) -> Samples:
    """Decode to h, w, bands; turned upright; every damage in the file shows here."""
    try:
        if image.format not in ("uchar", "ushort"):
            raise UnreadablePictureError(
                f"samples of kind {image.format} are not supported", "convert the picture to 8 or 16 bits per sample"
            )
        if image.interpretation in ("lab", "labs", "xyz", "scrgb", "hsv"):
            image = image.colourspace("srgb")
        samples: Samples = image.copy_memory().autorot().numpy()
    except pyvips.Error as error:
        raise UnreadablePictureError(vips.reason(error)) from error
    samples = samples.reshape(*samples.shape[:2], -1)
    bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 16
    if samples.dtype == np.uint16 and 8 < bits < 16:  # libvips shifts 10 and 12 bits up and leaves the low bits zero
        samples |= samples >> np.uint16(bits)
    return samples


def _finish(samples: Samples, metadata: Metadata, format: str, *, cmyk: bool, notes: tuple[str, ...]) -> Picture:
    """Part colour from alpha and bring the colour into sRGB."""
    depth = 8 * samples.itemsize
    bands = samples.shape[2]
    colours = 4 if cmyk else {1: 1, 2: 1, 3: 3, 4: 3}.get(bands, 3)
    alpha = np.ascontiguousarray(samples[..., colours]) if bands > colours else None
    if bands > colours + 1:
        notes += (f"{bands - colours - 1} extra channels are left out",)
    pixels, beyond = np.ascontiguousarray(samples[..., :colours]), None
    if cmyk:
        pixels, metadata = colour.cmyk_to_srgb(pixels, metadata.icc), replace(metadata, icc=None)
        notes += ("CMYK is converted to sRGB",)
    elif metadata.icc and not colour.is_srgb(metadata.icc):
        try:
            pixels, beyond = colour.into_srgb(pixels, metadata.icc)
        except pyvips.Error:
            metadata = replace(metadata, icc=None)
            notes += ("its colour profile is damaged or does not fit, so its colours are taken for sRGB",)
        else:
            alpha = None if alpha is None else colour.to_16_bit(alpha)
    return Picture(pixels, alpha, beyond, depth, format, metadata, notes)
