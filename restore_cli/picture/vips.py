"""Read and write JPEG, PNG, TIFF, WebP, AVIF and GIF with libvips; 8 and 16 bits per sample."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pyvips

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.formats import Format
from restore_cli.picture.picture import Metadata, Samples

logging.getLogger("pyvips").addHandler(logging.NullHandler())  # libvips' own warnings are not for the user's terminal
pyvips.cache_set_max(0)  # a cached file would hide that it has changed, and hold memory over a long batch

UNKNOWN_FORMAT = "not in a known format"
LOADERS = {
    "jpegload": "jpeg",
    "pngload": "png",
    "tiffload": "tiff",
    "webpload": "webp",
    "heifload": "avif",
    "gifload": "gif",
}
"""libvips loaders by the format they stand for. Those of documents and drawings (PDF, SVG) are left out."""

BLOBS = {"icc": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data", "iptc": "iptc-data"}


def open_source(source: Any) -> tuple[Any, str] | None:
    """Open a `pyvips.Source`: the image, not yet decoded, and the name of its format; None if libvips cannot tell.

    Raises:
        UnreadablePictureError: the header is damaged, or the file is a document or a drawing.
    """
    try:
        image = pyvips.Image.new_from_source(source, "", access="sequential", fail_on="error")
    except pyvips.Error as error:
        if UNKNOWN_FORMAT in f"{error.message}{error.detail}":
            return None
        raise UnreadablePictureError(reason(error)) from error
    loader = image.get("vips-loader").removesuffix("_source")
    if loader not in LOADERS:
        raise UnreadablePictureError(f"{loader.removesuffix('load').upper()} files hold no pixels to restore")
    return image, LOADERS[loader]


def metadata_of(image: Any) -> Metadata:
    """Collect the blocks of metadata that an image carries."""
    blobs = {name: image.get(field) for name, field in BLOBS.items() if image.get_typeof(field)}
    return Metadata(**blobs, pixels_per_mm=(image.xres, image.yres))


def encode(samples: Samples, metadata: Metadata, format: Format, quality: int | None, target: Any) -> None:
    """Write samples (h, w, 1 to 4; alpha last) as `format` to a `pyvips.Target`.

    Raises:
        pyvips.Error: the encoder or the target failed.
    """
    colour = "grey" if samples.shape[2] < 3 else "rgb"
    interpretation = {"grey1": "b-w", "grey2": "grey16", "rgb1": "srgb", "rgb2": "rgb16"}[
        colour + str(samples.itemsize)
    ]
    horizontal, vertical = metadata.pixels_per_mm
    image = pyvips.Image.new_from_array(np.ascontiguousarray(samples))
    image = image.copy(interpretation=interpretation, xres=horizontal, yres=vertical)
    for name, field in BLOBS.items():
        block = getattr(metadata, name)
        if block is not None:
            image.set_type(pyvips.GValue.blob_type, field, block)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    image.write_to_target(target, format.suffixes[0], **_save_options(format, quality, samples))


def reason(error: pyvips.Error) -> str:
    """Return the first line of what libvips says went wrong, without the names of its parts."""
    lines = [line for line in str(error.detail or error.message).splitlines() if line.strip()] or ["no reason given"]
    return lines[0].split(": ", 1)[-1].strip()


def _save_options(format: Format, quality: int | None, samples: Samples) -> dict[str, object]:
    lossy = quality or format.default_quality
    match format.name:
        case "jpeg":
            return {"Q": lossy, "subsample_mode": "off", "optimize_coding": True}
        case "png":
            return {"compression": 3, "filter": "all"}
        case "tiff":
            return {"compression": "deflate", "predictor": "horizontal", "bigtiff": samples.nbytes >= 4_000_000_000}
        case "webp":
            return {"Q": lossy, "smart_subsample": True}
        case "avif":
            depth = 8 if samples.itemsize == 1 else 12
            return {"Q": lossy, "compression": "av1", "subsample_mode": "off", "bitdepth": depth, "effort": 3}
        case _:
            return {}
