"""What the samples of a TIFF mean, as far as its tags tell and libvips does not ask (TIFF 6.0, sections 8, 18, 21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from restore_cli.picture.metadata.directory import mapped, read_directory, read_first_directory

COMPRESSION, PHOTOMETRIC, SUB_DIRECTORIES, EXTRA_SAMPLES, DNG_VERSION = 0x0103, 0x0106, 0x014A, 0x0152, 0xC612
FILTERED, LINEAR = 32_803, 34_892
"""Photometric interpretations of a sensor's values: behind a mosaic of colour filters, and free of it."""
YCBCR, ICC_LAB, ITU_LAB = 6, 9, 10
OLD_JPEG, JPEG = 6, 7
"""Compressions whose decoder makes RGB of YCbCr by itself."""
UNSPECIFIED = 0
"""A sample behind the colours that is no alpha."""
CANON = b"CR"
"""What follows the header of a TIFF in Canon's raw files."""
MOST_HIDDEN = 256
"""Directories below the first one that are looked at; a damaged file may tell of millions."""


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
            first = read_first_directory(content)
            places = first.integers(SUB_DIRECTORIES, MOST_HIDDEN)
            hidden = [read_directory(content, place, first.layout) for place in places]
        except ValueError:
            return TiffSamples()
        kinds = [directory.integer(PHOTOMETRIC) for directory in (first, *hidden)]
        compression, extra = first.integer(COMPRESSION), first.integer(EXTRA_SAMPLES)
    return TiffSamples(
        is_camera_raw=DNG_VERSION in first.entries or any(kind in (FILTERED, LINEAR) for kind in kinds),
        unsupported=_unsupported(kinds[0], compression),
        has_alpha=extra != UNSPECIFIED,
    )


def _unsupported(photometric: int | None, compression: int | None) -> str | None:
    if photometric in (ICC_LAB, ITU_LAB):
        return "L*a*b* as ICC or ITU encode it"
    if photometric == YCBCR and compression not in (OLD_JPEG, JPEG):
        return "YCbCr without JPEG compression"
    return None
