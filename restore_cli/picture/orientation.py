"""The eight orientations of EXIF."""

from __future__ import annotations

from typing import TypeVar

from restore_cli.picture.metadata.exif_geometry import MIRRORED_ACROSS, MIRRORED_DOWN, TRANSPOSED
from restore_cli.picture.picture import Samples

Number = TypeVar("Number", int, float)


def turn_upright(samples: Samples, orientation: int) -> Samples:
    """Turn and mirror stored samples (h, w, c) to how EXIF's `orientation`, 1 to 8, says they are to be seen.

    The result is a view, w, h, c for orientations 5 to 8; other numbers leave the samples as they are.
    """
    upright = samples.transpose(1, 0, 2) if orientation in TRANSPOSED else samples
    if orientation in MIRRORED_ACROSS:
        upright = upright[:, ::-1]
    if orientation in MIRRORED_DOWN:
        upright = upright[::-1]
    return upright


def turn_axes(stored: tuple[Number, Number], orientation: int) -> tuple[Number, Number]:
    """Return what is said of stored samples across and down, a size or a density, as it is of the upright picture."""
    across, down = stored
    return (down, across) if orientation in TRANSPOSED else (across, down)
