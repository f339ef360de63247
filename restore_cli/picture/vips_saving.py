"""Write JPEG, PNG, TIFF, WebP, AVIF and GIF with libvips, and what it does not write into their metadata."""

from __future__ import annotations

import io
from typing import IO, Any

import pyvips

from restore_cli.picture.formats import Format
from restore_cli.picture.metadata.density import INCH, per_inch
from restore_cli.picture.metadata.exif import sized_exif
from restore_cli.picture.metadata.exif_resolution import resolution_exif, with_resolution
from restore_cli.picture.metadata.iptc import photoshop_block
from restore_cli.picture.metadata.jpeg_segments import fits_jpeg, insert_blocks, insert_comments, leave_density_unsaid
from restore_cli.picture.metadata.placeholder import Placeholder
from restore_cli.picture.metadata.png_chunks import insert_chunks
from restore_cli.picture.metadata.tiff_tags import append_tags
from restore_cli.picture.metadata.xmp import sized_xmp
from restore_cli.picture.picture import Metadata
from restore_cli.picture.vips import BLOBS, in_kind

DEFAULT_RESOLUTION = (72 / INCH, 72 / INCH)
"""What is written to PNG and TIFF for a picture that states none, as other programs do."""
OPTIMISED_BYTES = 1 << 26
"""Bytes of samples up to which a JPEG has tables made for it: to that end, all of it must be held in memory."""
TILED_BYTES = 1 << 30
"""Bytes of samples from which on a TIFF is cut into tiles, so that its parts can be read."""
BIG_TIFF_BYTES = 4_000_000_000
"""Bytes of samples from which on a TIFF is a BigTIFF."""
TILE = 256
LOSSLESS = 100
"""The quality with which WebP gives up nothing."""
PLACEHOLDER_FORMATS = ("webp", "avif")
"""Formats into which EXIF goes by way of libvips."""
EXIF_ALONE = ("jpeg", "heic", *PLACEHOLDER_FORMATS)
"""Formats in which the resolution has its place in EXIF; JPEG has another for whole numbers alone."""


def encode(
    image: Any, metadata: Metadata, format: Format, quality: int | None, file: IO[bytes], *, lossless: bool = False
) -> None:
    """Write an image of 1 to 4 bands, alpha last, as `format` to an empty `file`; `lossless` is for WebP.

    Raises:
        pyvips.Error: the encoder failed, or the file could not be written.
        OSError: the file could not be written.
    """
    across, down = (float(per_inch(number)) / INCH for number in metadata.pixels_per_mm or DEFAULT_RESOLUTION)
    image = in_kind(image).copy(xres=across, yres=down)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    size = (image.width, image.height)
    exif = exif_to_write(metadata, format, size)
    xmp = metadata.xmp and sized_xmp(metadata.xmp, size, metadata.size)
    placeholder = Placeholder(exif) if exif and format.name in PLACEHOLDER_FORMATS else None
    blobs = {
        "icc": metadata.icc,
        "exif": placeholder and placeholder.content,
        "xmp": None if format.name in ("jpeg", "png") else xmp,
        "iptc": photoshop_block(metadata.iptc) if metadata.iptc and format.name == "jpeg" else None,
    }
    kept = [name for name, blob in blobs.items() if blob]
    for name in kept:
        image.set_type(pyvips.GValue.blob_type, BLOBS[name], blobs[name])
    options = _save_options(format, quality, image, lossless) | {"keep": "|".join(kept) or "none"}
    _save(image, format, options, file)
    if placeholder is not None:
        placeholder.replace(file)
    if format.name == "jpeg":
        if metadata.pixels_per_mm is None:
            leave_density_unsaid(file)
        insert_blocks(file, exif, xmp)
        insert_comments(file, [text for text in metadata.texts if fits_jpeg(text)])
    elif format.name == "png":
        insert_chunks(file, exif, xmp, metadata.iptc, metadata.texts)
    elif format.name == "tiff":
        append_tags(file, exif, metadata.iptc)


def exif_to_write(metadata: Metadata, format: Format, size: tuple[int, int]) -> bytes | None:
    """Return the EXIF block that a picture of a width and height gets in a format; None where it gets none."""
    resolution = metadata.pixels_per_mm if format.name in EXIF_ALONE else None
    if metadata.exif is None:
        return resolution and resolution_exif(resolution)
    exif = sized_exif(metadata.exif, size, metadata.size)
    return with_resolution(exif, resolution) if resolution else exif


def _save(image: Any, format: Format, options: dict[str, object], file: IO[bytes]) -> None:
    try:
        target = pyvips.Target.new_to_descriptor(file.fileno())
    except io.UnsupportedOperation:
        target = pyvips.Target.new_to_memory()
        image.write_to_target(target, format.suffixes[0], **options)
        file.write(target.get("blob"))
    else:
        image.write_to_target(target, format.suffixes[0], **options)


def _save_options(format: Format, quality: int | None, image: Any, lossless: bool) -> dict[str, object]:
    lossy, deep = quality or format.default_quality, image.format == "ushort"
    size = image.width * image.height * image.bands * (2 if deep else 1)  # bytes of samples
    match format.name:
        case "jpeg":
            return {"Q": lossy, "subsample_mode": "off", "optimize_coding": size <= OPTIMISED_BYTES}
        case "png":
            # Paeth alone is as small as "all" to a hundredth, in three quarters of its time.
            return {"compression": 3, "filter": "paeth"}
        case "tiff":
            tiles = {"tile": True, "tile_width": TILE, "tile_height": TILE} if size >= TILED_BYTES else {}
            options = {"compression": "deflate", "predictor": "horizontal", "resunit": "inch"}
            return options | {"bigtiff": size >= BIG_TIFF_BYTES} | tiles
        case "webp" if lossless or quality == LOSSLESS:
            return {"lossless": True, "exact": True}
        case "webp":
            return {"Q": lossy, "smart_subsample": True, "exact": True}
        case "avif":
            depth = format.deepest if deep else 8
            return {"Q": lossy, "compression": "av1", "subsample_mode": "off", "bitdepth": depth, "effort": 3}
        case _:
            return {}
