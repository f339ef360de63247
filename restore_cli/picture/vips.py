"""Read JPEG, PNG, TIFF, WebP, AVIF and GIF with libvips; 8 and 16 bits per sample."""

from __future__ import annotations

import io
import logging
import math
import os
from functools import cache
from typing import IO, Any

import numpy as np
import pyvips

from restore_cli.errors import RestoreError, UnreadablePictureError
from restore_cli.picture.depth import spread_bits
from restore_cli.picture.picture import Metadata, Samples
from restore_cli.scratch import ArrayStorage, rows_in_bands

logging.getLogger("pyvips").addHandler(logging.NullHandler())  # libvips' own warnings are not for the user's terminal
pyvips.cache_set_max(0)  # a cached file would hide that it has changed, and hold memory over a long batch

LOADERS = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "heic": "heifload_source",
    "gif": "gifload_source",
}
"""Named, since libvips would also open documents and drawings, and takes JPEGs with a gain map for another format."""
DECODED_BYTES = 1 << 21
"""Bytes that are decoded at a time; libvips holds several times as much."""
DTYPES = {"uchar": np.uint8, "ushort": np.uint16}
"""NumPy's types of the samples that are read, by libvips' names."""
BLOBS = {"icc": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data", "iptc": "iptc-data"}


def check_process() -> None:
    """Refuse to use libvips where it would hang: its threads do not live on in a process that is forked.

    Raises:
        RestoreError: the process from which this one was forked had used libvips.
    """
    if _first_user() != os.getpid():
        raise RestoreError(
            "this process was forked after pictures were read or written",
            "start processes with spawn or forkserver, as multiprocessing.get_context('spawn') does",
        )


@cache
def _first_user() -> int:
    """Return the number of the process that was the first to ask."""
    return os.getpid()


def open_image(file: IO[bytes], format: str, fail_on: str = "error", **options: Any) -> Any:
    """Open a file as a `pyvips.Image`; its samples are not yet decoded, and `file` must live until they are.

    `fail_on` is what the decoder takes for damage, `error` or `warning`; `options` are the decoder's own.

    Raises:
        pyvips.Error: the header is damaged.
    """
    check_process()
    file.seek(0)
    try:
        source = pyvips.Source.new_from_descriptor(file.fileno())
    except io.UnsupportedOperation:
        source = pyvips.Source.new_from_memory(file.read())
    image = pyvips.Operation.call(LOADERS[format], source, access="sequential", fail_on=fail_on, **options)
    file.seek(0, io.SEEK_END)  # forgets what was read ahead: libvips moved the descriptor, and Python does not know
    return image


def decode(image: Any, storage: ArrayStorage) -> Samples:
    """Decode an image to h, w, bands as the file holds them, not yet turned; every damage in the file shows here.

    The samples lie in `storage`.

    Raises:
        UnreadablePictureError: the samples are floats or of more than 16 bits.
        UnwritablePictureError: `storage` has no place for them.
        pyvips.Error: the file is cut or damaged.
    """
    if is_lab(image):
        image = _lab_to_srgb(image)
    if image.format not in DTYPES:
        raise UnreadablePictureError(
            f"samples of kind {image.format} are not supported", "convert the picture to 8 or 16 bits per sample"
        )
    samples = _decode_into(storage, image)
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


def _decode_into(storage: ArrayStorage, image: Any) -> Samples:
    """Decode in one go if there is memory for it, and else band by band."""
    shape, dtype = (image.height, image.width, image.bands), np.dtype(DTYPES[image.format])
    if storage.claim(math.prod(shape) * dtype.itemsize):
        whole: Samples = image.numpy().reshape(shape)
        return whole
    samples = storage.empty(shape, dtype)
    region = pyvips.Region.new(image)
    for rows in rows_in_bands(image.height, samples[0].nbytes, DECODED_BYTES):
        count = rows.stop - rows.start
        band = np.frombuffer(region.fetch(0, rows.start, image.width, count), dtype)
        samples[rows] = band.reshape(count, *shape[1:])
        storage.release()
    return samples


def metadata_of(image: Any) -> Metadata:
    """Collect the blocks of metadata that an image carries, without its resolution, which nobody may have stated."""
    blobs: dict[str, Any] = {name: bytes(image.get(field)) for name, field in BLOBS.items() if image.get_typeof(field)}
    return Metadata(**blobs)


def display_p3_profile() -> bytes:
    """Return the ICC profile of Display P3 that is part of libvips."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


def orientation_of(image: Any) -> int:
    """Return the EXIF orientation, 1 to 8, by which a decoded image must still be turned."""
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def pages_of(image: Any) -> int:
    """Return the number of pages or frames."""
    return int(image.get("n-pages")) if image.get_typeof("n-pages") else 1


def image_of(samples: Samples) -> Any:
    """Return samples (h, w, 1 to 4; alpha last) as an image."""
    check_process()
    return pyvips.Image.new_from_array(np.ascontiguousarray(samples))


def in_kind(image: Any) -> Any:
    """Say of an image of 1 to 4 bands, alpha last, that it is sRGB or grey."""
    kinds = ("b-w", "grey16") if image.bands < 3 else ("srgb", "rgb16")
    return image.copy(interpretation=kinds[image.format == "ushort"])


def lacks_threads(error: pyvips.Error) -> bool:
    """Tell whether libvips got no thread from the system, so that it is no picture's fault."""
    return any(words in str(error) for words in ("create thread", "creating thread"))


def reason(error: pyvips.Error) -> str:
    """Return the first line of what libvips says went wrong, without the names of its parts.

    That a place lies behind a file's end follows from what comes later.
    """
    lines = [line for line in str(error.detail).splitlines() if line.strip() and "bad seek to" not in line]
    lines = lines or ["no reason given"]
    return lines[0].split(": ", 1)[-1].strip()
