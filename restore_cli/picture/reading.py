"""Read a file into a `Picture`: upright, sRGB or grey, 8 or 16 bits, with everything needed to write it back."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import pyvips

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture import colour, netpbm, tga, vips
from restore_cli.picture.compression import compression_of
from restore_cli.picture.depth import to_16_bit
from restore_cli.picture.file_metadata import (
    UNFIT_PROFILE,
    gather_heic_metadata,
    gather_jpeg2000_metadata,
    gather_metadata,
)
from restore_cli.picture.formats import HAS_HEIC, HEIC, MAX_PIXELS
from restore_cli.picture.heif import HeicImage
from restore_cli.picture.metadata.tiff_samples import TiffSamples, read_samples_kind
from restore_cli.picture.opening import Source, as_source, explained, open_picture
from restore_cli.picture.orientation import turn_axes, turn_upright
from restore_cli.picture.picture import Metadata, Picture, Samples
from restore_cli.picture.pillow import PillowImage
from restore_cli.picture.signatures import HEAD_BYTES, is_heic, is_image_sequence, recognise, unsupported_kind
from restore_cli.scratch import ArrayStorage

Notes = tuple[str, ...]

FIRST_FRAME = "only the first of its frames is used"
ONE_WAY_PROFILE = "it is converted to sRGB, since its colour profile leads one way only"
END_OF_IMAGE = b"\xff\xd9"
"""The last marker of a JPEG."""
FILLINGS = (b"", bytes(64), b"\xaa" * 64, b"\x55" * 64)
"""None, and bits that are no part of a file, each unlike those of the others."""

Check = Callable[[int, int], None]
"""Called with the height and width of an upright picture before its samples are decoded; raises to refuse it."""
Opened = tuple[int, int, Callable[[], Picture]]
"""Height and width of an upright picture, and what decodes it."""


def read_picture(
    source: Source,
    *,
    max_pixels: int = MAX_PIXELS,
    storage: ArrayStorage | None = None,
    check: Check = lambda height, width: None,
    called: str = "the bytes given",
) -> Picture:
    """Read the first picture of a file, or of the bytes of one, which an error says are `called` so.

    Its arrays lie in `storage`, in memory if None; but what Pillow or pillow-heif decodes (BMP, DDS, HEIC, JPEG 2000,
    TGA and rarer formats) stays in memory. A large one is decoded in bands, all of it before it is returned: so damage
    is found before any work is done, and its parts can be read in any order and orientation.

    Raises:
        UsageError: `source` is nothing to read from.
        UnreadablePictureError: the file is missing, empty, damaged, of no known format, or has too many pixels.
    """
    with explained(b"", called):  # an open file may fail
        source = as_source(source)
    with explained(source, called), open_picture(source) as file:
        height, width, decode = _open(file, storage or ArrayStorage(), max_pixels)
        check(height, width)
        return decode()


def measure_picture(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return height and width of the first picture of a file, upright, from its header alone.

    Of HEIC a pixel is decoded, too, where only libvips is there, whose header does not tell whether it can.

    Raises:
        UnreadablePictureError: as `read_picture` does, as far as the header tells.
    """
    with explained(source), open_picture(source) as file:
        height, width, _ = _open(file, ArrayStorage(), max_pixels)
        if not HAS_HEIC and is_heic(file):
            vips.decode(vips.open_image(file, "heic").crop(0, 0, 1, 1), ArrayStorage())
        return height, width


def _open(file: IO[bytes], storage: ArrayStorage, max_pixels: int) -> Opened:
    height, width, decode = _open_unlimited(file, storage)
    if width * height > max_pixels:
        raise UnreadablePictureError(
            f"{width}x{height} pixels are more than the limit of {max_pixels:,}",
            "if the file can be trusted, raise the limit with --max-pixels",
        )
    return height, width, decode


def _open_unlimited(file: IO[bytes], storage: ArrayStorage) -> Opened:
    head = file.read(HEAD_BYTES)
    if not head:
        raise UnreadablePictureError("it is empty", "copy or download it again")
    if (kind := unsupported_kind(head)) is not None:
        raise UnreadablePictureError(f"it is {kind}, which is not supported", "save it as TIFF, PNG or JPEG")
    format = recognise(head)
    if format == HEIC.name and HAS_HEIC:
        return _open_heic(file, storage)
    if format is not None:
        return _open_with_vips(file, format, storage)
    if (header := netpbm.read_header(file)) is not None:
        return (
            header.height,
            header.width,
            lambda: _finish(netpbm.decode(file, header, storage), Metadata(), "ppm", (), storage),
        )
    if (texture := tga.read_header(file)) is not None:
        return texture.height, texture.width, lambda: _finish(tga.decode(file, texture), Metadata(), "tga", (), storage)
    return _open_with_pillow(file, storage)


def _open_with_vips(file: IO[bytes], format: str, storage: ArrayStorage) -> Opened:
    kind = read_samples_kind(file) if format == "tiff" else TiffSamples()
    if kind.is_camera_raw:
        raise UnreadablePictureError("it is a camera's raw file", "develop it with a raw converter, and save a TIFF")
    if kind.unsupported is not None:
        raise UnreadablePictureError(f"{kind.unsupported} is not supported", "save it as RGB")
    image = vips.open_image(file, format)
    said, compression = gather_metadata(image, file, format), compression_of(file, format)
    width, height = turn_axes((image.width, image.height), said.orientation)

    def decode() -> Picture:
        samples, warnings = _decode_jpeg(file, storage) if format == "jpeg" else (vips.decode(image, storage), ())
        if (format == "gif" or (format == "webp" and said.pages > 1)) and (samples[..., 3:] == 255).all():
            samples = samples[..., :3]  # there is an alpha for the sake of other frames, or of an unused colour
        colours = vips.colours_of(image)
        notes = _note_pages(said.pages) + warnings + said.notes
        if format in ("avif", "heic") and is_image_sequence(file):
            notes += (FIRST_FRAME,)
        if not kind.has_alpha and samples.shape[2] > colours:
            samples, notes = samples[..., :colours], (*notes, _left_out(samples.shape[2] - colours))
        metadata = said.metadata
        if vips.is_lab(image):
            metadata, notes = replace(metadata, icc=None), (*notes, "L*a*b* is converted to sRGB")
        upright = turn_upright(samples, said.orientation)
        picture = _finish(upright, metadata, format, notes, storage, colours=colours)
        return replace(
            picture,
            compression=compression,
            lossless=format == "webp" and compression is None,
            as_stored=not warnings and said.orientation == said.turned == 1,
        )

    return height, width, decode


def _open_heic(file: IO[bytes], storage: ArrayStorage) -> Opened:
    image = HeicImage(file)
    said = gather_heic_metadata(image.metadata(), file, image.colours, (image.width, image.height))

    def decode() -> Picture:
        notes = image.notes + said.notes + ((FIRST_FRAME,) if is_image_sequence(file) else ())
        picture = _finish(image.decode(), said.metadata, HEIC.name, notes, storage)
        return replace(picture, as_stored=said.turned == 1)

    return image.height, image.width, decode


def _decode_jpeg(file: IO[bytes], storage: ArrayStorage) -> tuple[Samples, Notes]:
    """Decode strictly; where the decoder merely warns, decode once more and pass its warning on."""
    try:
        return vips.decode(vips.open_image(file, "jpeg", fail_on="warning"), storage), ()
    except pyvips.Error as error:
        if vips.lacks_threads(error):
            raise
        warning = error
    try:
        samples = vips.decode(vips.open_image(file, "jpeg"), storage)
        return samples, (f"parts of it may be damaged: {vips.reason(warning)}",)
    except pyvips.Error:
        complete = _decode_without_end(file, storage)
        if complete is None:
            raise
        return complete, ("the marker at its end is missing",)


def _decode_without_end(file: IO[bytes], storage: ArrayStorage) -> Samples | None:
    """Decode a JPEG that lacks its last marker, as some cameras and editors write it; None if more is missing.

    Strict decoding tells what lies behind the samples, and in most cases that some are missing; where it does not, they
    are made of what follows, whatever that is.
    """
    file.seek(0)
    content = file.read().rstrip(END_OF_IMAGE[:1])
    if content.endswith(END_OF_IMAGE):
        return None
    found: Samples | None = None
    for filling in FILLINGS:
        filled = io.BytesIO(content + filling + END_OF_IMAGE)  # which must live until it is decoded
        try:
            samples = vips.decode(vips.open_image(filled, "jpeg", fail_on="error" if filling else "warning"), storage)
        except pyvips.Error:
            return None
        if found is not None and (samples != found).any():
            return None
        found = samples
    return found


def _open_with_pillow(file: IO[bytes], storage: ArrayStorage) -> Opened:
    image = PillowImage(file)

    def decode() -> Picture:
        samples, metadata, notes = image.decode(), image.metadata(), image.rest
        if image.bits > 8 * samples.itemsize:
            notes += (f"its {image.bits} bits per sample are read as {8 * samples.itemsize}",)
        if image.format == "jp2":
            said = gather_jpeg2000_metadata(metadata, file, (image.width, image.height))
            metadata, notes = said.metadata, notes + said.notes
        return _finish(samples, metadata, image.format, notes, storage, colours=4 if image.cmyk else None)

    return image.height, image.width, decode


def _note_pages(pages: int) -> Notes:
    return (f"only the first of {pages} pages or frames is used",) if pages > 1 else ()


def _left_out(channels: int) -> str:
    return "an extra channel is left out" if channels == 1 else f"{channels} extra channels are left out"


def _finish(
    samples: Samples,
    metadata: Metadata,
    format: str,
    notes: Notes,
    storage: ArrayStorage,
    *,
    colours: int | None = None,
) -> Picture:
    """Part the first `colours` samples of a pixel, 1, 3 or 4 for inks, from alpha and others, and make them sRGB.

    Without a number, of up to two samples one is a colour, and of more three.
    """
    depth, bands = 8 * samples.itemsize, samples.shape[2]
    colours = colours or (1 if bands < 3 else 3)
    alpha = storage.settled(samples[..., colours]) if bands > colours else None
    if bands > colours + 1:
        notes += (_left_out(bands - colours - 1),)
    pixels, beyond = storage.settled(samples[..., :colours]), None
    if colours == 4:
        try:
            pixels = colour.cmyk_to_srgb(pixels, metadata.icc, storage)
        except ValueError:
            pixels, notes = colour.cmyk_to_srgb(pixels, None, storage), (*notes, UNFIT_PROFILE)
        metadata, notes = replace(metadata, icc=None), (*notes, "CMYK is converted to sRGB")
    elif metadata.icc and not (colours == 3 and colour.is_srgb(metadata.icc)):
        try:
            returns = colour.leads_back(metadata.icc, colours)
            pixels, beyond = colour.into_srgb(pixels, metadata.icc, storage)
        except ValueError:
            metadata, notes = replace(metadata, icc=None), (*notes, UNFIT_PROFILE)
        else:
            alpha = None if alpha is None else to_16_bit(alpha, storage)
            if not returns:
                metadata, notes = replace(metadata, icc=None), (*notes, ONE_WAY_PROFILE)
    return Picture(pixels, alpha, beyond, depth, format, metadata=metadata, notes=notes, storage=storage)
