"""Read and write JPEG, PNG, TIFF, WebP, AVIF and GIF with libvips; 8 and 16 bits per sample."""

from __future__ import annotations

import io
import logging
import math
from typing import IO, Any

import numpy as np
import pyvips

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.formats import Format
from restore_cli.picture.metadata.exif import resolution_exif, sized_exif, with_resolution
from restore_cli.picture.metadata.iptc import photoshop_block
from restore_cli.picture.metadata.jpeg_comments import fits_jpeg, insert_comments
from restore_cli.picture.metadata.placeholder import LARGEST_BLOCK, Placeholder
from restore_cli.picture.metadata.png_chunks import insert_chunks
from restore_cli.picture.metadata.tiff_tags import append_tags
from restore_cli.picture.metadata.xmp import sized_xmp
from restore_cli.picture.picture import Metadata, Samples, spread_bits
from restore_cli.scratch import Room, rows_in_bands

logging.getLogger("pyvips").addHandler(logging.NullHandler())  # libvips' own warnings are not for the user's terminal
pyvips.cache_set_max(0)  # a cached file would hide that it has changed, and hold memory over a long batch

HEIF_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    *((tiff, "tiff") for tiff in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
)
LOADERS = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "gif": "gifload_source",
}
"""Named, since libvips would also open documents and drawings, and takes JPEGs with a gain map for another format."""
DECODED_BYTES = 1 << 21
"""Bytes that are decoded at a time; libvips holds several times as much."""
DTYPES = {"uchar": np.uint8, "ushort": np.uint16}
"""NumPy's types of the samples that are read, by libvips' names."""
UNSAID = (1.0, 72 / 25.4)
"""Resolutions, in pixels per millimetre, that libvips gives to a file that states none."""
DEFAULT_RESOLUTION = (72 / 25.4, 72 / 25.4)
"""What is written to PNG and TIFF for a picture that states none, as other programs do."""
OPTIMISED_BYTES = 1 << 26
"""Bytes of samples up to which a JPEG has tables made for it: to that end, all of it must be held in memory."""
TILED_BYTES = 1 << 30
"""Bytes of samples from which on a TIFF is cut into tiles, so that its parts can be read."""
BIG_TIFF_BYTES = 4_000_000_000
"""Bytes of samples from which on a TIFF is a BigTIFF."""
TILE = 256
AVIF_DEPTH = 12
"""Bits of its deepest samples."""
PLACEHOLDER_FORMATS = ("jpeg", "webp", "avif")
"""Formats into which EXIF goes by way of libvips."""
BLOBS = {"icc": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data", "iptc": "iptc-data"}


def recognise(head: bytes) -> str | None:
    """Return the name of the format to which the first 16 bytes of a file belong; None if libvips has none for it."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return "avif"
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)


def open_image(file: IO[bytes], format: str, fail_on: str = "error", **options: Any) -> Any:
    """Open a file as a `pyvips.Image`; its samples are not yet decoded.

    `fail_on` is what the decoder takes for damage, `error` or `warning`; `options` are the decoder's own.

    Raises:
        pyvips.Error: the header is damaged.
    """
    file.seek(0)
    try:
        source = pyvips.Source.new_from_descriptor(file.fileno())
    except io.UnsupportedOperation:
        source = pyvips.Source.new_from_memory(file.read())
    image = pyvips.Operation.call(LOADERS[format], source, access="sequential", fail_on=fail_on, **options)
    file.seek(0, io.SEEK_END)  # forgets what was read ahead: libvips moved the descriptor, and Python does not know
    return image


def decode(image: Any, room: Room | None = None) -> Samples:
    """Decode an image to h, w, bands as the file holds them, not yet turned; every damage in the file shows here.

    Raises:
        UnreadablePictureError: the samples are floats or of more than 16 bits.
        UnwritablePictureError: `room` has no place for them.
        pyvips.Error: the file is cut or damaged.
    """
    if is_lab(image):
        image = _lab_to_srgb(image)
    if image.format not in DTYPES:
        raise UnreadablePictureError(
            f"samples of kind {image.format} are not supported", "convert the picture to 8 or 16 bits per sample"
        )
    samples = _decode_whole(image) if room is None else _decode_into(room, image)
    bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 16
    if samples.dtype == np.uint16 and 8 < bits < 16:  # libvips shifts 10 and 12 bits up and leaves the low bits zero
        for rows in rows_in_bands(len(samples), samples[0].nbytes):
            spread_bits(samples[rows], bits)
    return samples


def is_lab(image: Any) -> bool:
    """Tell whether an image holds lightness and two colours, CIE L*a*b*."""
    return image.interpretation in ("lab", "labs")


def colours_of(image: Any) -> int:
    """Return how many bands of an image are colours; alpha and others follow them."""
    if image.interpretation == "cmyk":
        return 4
    return 1 if image.interpretation in ("b-w", "grey16") or image.bands < 3 else 3


def _lab_to_srgb(image: Any) -> Any:
    """Convert the colours; libvips would take what follows them for signed, as they are."""
    is_deep = image.format == "short"
    colours = image.extract_band(0, n=3).colourspace("rgb16" if is_deep else "srgb")
    if image.bands == 3:
        return colours
    others = image.extract_band(3, n=image.bands - 3)
    return colours.bandjoin(others.copy(format="ushort") if is_deep else others.cast("uchar"))


def _decode_into(room: Room, image: Any) -> Samples:
    """Decode in one go if there is memory for it, and else band by band."""
    shape, dtype = (image.height, image.width, image.bands), np.dtype(DTYPES[image.format])
    if room.claim(math.prod(shape) * dtype.itemsize):
        return _decode_whole(image)
    samples = room.empty(shape, dtype)
    region = pyvips.Region.new(image)
    for rows in rows_in_bands(image.height, samples[0].nbytes, DECODED_BYTES):
        count = rows.stop - rows.start
        band = np.frombuffer(region.fetch(0, rows.start, image.width, count), dtype)
        samples[rows] = band.reshape(count, *shape[1:])
        room.release()
    return samples


def _decode_whole(image: Any) -> Samples:
    samples: Samples = image.numpy().reshape(image.height, image.width, -1)
    return samples


def metadata_of(image: Any) -> Metadata:
    """Collect the blocks of metadata that an image carries."""
    blobs: dict[str, Any] = {name: bytes(image.get(field)) for name, field in BLOBS.items() if image.get_typeof(field)}
    resolution = (image.xres, image.yres)
    unsaid = image.xres == image.yres and any(abs(image.xres - density) < 0.001 for density in UNSAID)
    if image.get("vips-loader").startswith("tiff"):  # without a unit it is a ratio of sides
        unsaid = unsaid or not image.get_typeof("resolution-unit")
    return Metadata(**blobs, pixels_per_mm=None if unsaid or min(resolution) <= 0 else resolution)


def orientation_of(image: Any) -> int:
    """Return the EXIF orientation, 1 to 8, by which a decoded image must still be turned."""
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def pages_of(image: Any) -> int:
    """Return the number of pages or frames."""
    return int(image.get("n-pages")) if image.get_typeof("n-pages") else 1


def image_of(samples: Samples) -> Any:
    """Return samples (h, w, 1 to 4; alpha last) as an image."""
    return pyvips.Image.new_from_array(np.ascontiguousarray(samples))


def in_kind(image: Any) -> Any:
    """Say of an image of 1 to 4 bands, alpha last, that it is sRGB or grey."""
    kinds = ("b-w", "grey16") if image.bands < 3 else ("srgb", "rgb16")
    return image.copy(interpretation=kinds[image.format == "ushort"])


def encode(
    image: Any, metadata: Metadata, format: Format, quality: int | None, file: IO[bytes], *, lossless: bool = False
) -> None:
    """Write an image of 1 to 4 bands, alpha last, as `format` to an empty `file`; `lossless` is for WebP.

    Raises:
        pyvips.Error: the encoder failed, or the file could not be written.
        OSError: the file could not be written.
    """
    across, down = metadata.pixels_per_mm or DEFAULT_RESOLUTION
    image = in_kind(image).copy(xres=across, yres=down)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    exif = _exif_to_write(metadata, format, image.width, image.height)
    xmp = metadata.xmp and sized_xmp(metadata.xmp, image.width, image.height)
    placeholder = Placeholder(exif) if exif and format.name in PLACEHOLDER_FORMATS else None
    blobs = {
        "icc": metadata.icc,
        "exif": placeholder and placeholder.content,
        "xmp": None if format.name == "png" else xmp,
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
        insert_comments(file, [text for text in metadata.texts if fits_jpeg(text)])
    elif format.name == "png":
        insert_chunks(file, exif, xmp, metadata.texts)
    elif format.name == "tiff":
        append_tags(file, exif, metadata.iptc)


def reason(error: pyvips.Error) -> str:
    """Return the first line of what libvips says went wrong, without the names of its parts."""
    lines = [line for line in str(error.detail).splitlines() if line.strip()] or ["no reason given"]
    return lines[0].split(": ", 1)[-1].strip()


def _exif_to_write(metadata: Metadata, format: Format, width: int, height: int) -> bytes | None:
    if metadata.exif is not None:
        exif = sized_exif(metadata.exif, width, height)
        if format.name not in PLACEHOLDER_FORMATS:
            return exif
        if metadata.pixels_per_mm is not None:
            exif = with_resolution(exif, metadata.pixels_per_mm)
        return exif if len(exif) <= LARGEST_BLOCK else None
    if metadata.pixels_per_mm is not None and format.name in PLACEHOLDER_FORMATS:
        return resolution_exif(metadata.pixels_per_mm)  # these have no other place for it
    return None


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
            return {
                "compression": 3,
                "filter": "paeth",
            }  # as small as "all" to a hundredth, in three quarters of its time
        case "tiff":
            tiles = {"tile": True, "tile_width": TILE, "tile_height": TILE} if size >= TILED_BYTES else {}
            return {"compression": "deflate", "predictor": "horizontal", "bigtiff": size >= BIG_TIFF_BYTES} | tiles
        case "webp" if lossless:
            return {"lossless": True, "exact": True}
        case "webp":
            return {"Q": lossy, "smart_subsample": True}
        case "avif":
            depth = AVIF_DEPTH if deep else 8
            return {"Q": lossy, "compression": "av1", "subsample_mode": "off", "bitdepth": depth, "effort": 3}
        case _:
            return {}
