"""What the samples of a TIFF mean, as far as its tags tell and libvips does not ask (TIFF 6.0, sections 8, 18, 21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from restore_cli.picture.metadata.directory import read_directory, read_header, read_integers
from restore_cli.picture.metadata.tiff_tags import mapped

COMPRESSION, PHOTOMETRIC, SUB_DIRECTORIES, EXTRA_SAMPLES, DNG_VERSION = 0x0103, 0x0106, 0x014A, 0x0152, 0xC612
FILTERED, LINEAR = (32_803,), (34_892,)
"""Photometric interpretations of a sensor's values: behind a mosaic of colour filters, and free of it."""
YCBCR, ICC_LAB, ITU_LAB = 6, 9, 10
OLD_JPEG, JPEG = 6, 7
"""Compressions whose decoder makes RGB of YCbCr by itself."""
UNSPECIFIED = 0
"""A sample behind the colours that is no alpha."""
CANON = b"CR"
"""What follows the header of a TIFF in Canon's raw files."""


@dataclass(frozen=True, slots=True)
class TiffSamples:
    """What is said of the samples of a TIFF's first image."""

    is_camera_raw: bool = False
    """They are what a camera's sensor saw, or a small copy of it."""
    unsupported: str | None = None
    """What users call their colours, where those would be taken for others."""
    has_alpha: bool = True
    """Whether a sample behind the colours, where there is one, may be an alpha."""


def read_samples_kind(file: IO[bytes]) -> TiffSamples:
    """Return what the tags of a TIFF tell; damaged ones tell nothing."""
    with mapped(file) as content:
        if bytes(content[8:10]) == CANON:
            return TiffSamples(is_camera_raw=True)
        try:
            layout, offset = read_header(content)
            entries = read_directory(content, offset, layout).entries
            hidden = [
                read_directory(content, place, layout).entries
                for place in read_integers(content, entries.get(SUB_DIRECTORIES), layout)
            ]
        except ValueError:
            return TiffSamples()
        kinds = [read_integers(content, each.get(PHOTOMETRIC), layout) for each in (entries, *hidden)]
        compression = read_integers(content, entries.get(COMPRESSION), layout)
        extra = read_integers(content, entries.get(EXTRA_SAMPLES), layout)
    return TiffSamples(
        is_camera_raw=DNG_VERSION in entries or any(kind[:1] in (FILTERED, LINEAR) for kind in kinds),
        unsupported=_unsupported(kinds[0], compression),
        has_alpha=extra[:1] != (UNSPECIFIED,),
    )


def _unsupported(photometric: tuple[int, ...], compression: tuple[int, ...]) -> str | None:
    match photometric[:1]:
        case (kind,) if kind in (ICC_LAB, ITU_LAB):
            return "L*a*b* as ICC or ITU encode it"
        case (kind,) if kind == YCBCR and compression[:1] not in ((OLD_JPEG,), (JPEG,)):
            return "YCbCr without JPEG compression"
        case _:
            return None
