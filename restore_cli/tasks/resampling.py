"""Plain resampling of float planes, without a network: Pillow's filters, which are exact at the borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_cli.picture.depth import to_unit
from restore_cli.picture.picture import Samples
from restore_cli.tasks.kernel import across, down, taps_of
from restore_cli.tiling import Box

Planes = NDArray[np.float32]
"""h, w, c."""


class Values(Protocol):
    """What can be read in parts as numbers h, w, c: an array, or `UnitValues`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, part: tuple[slice, slice], /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class UnitValues:
    """Samples (h, w, c) that are read as float32, 0 to 1; only the part that is read is converted."""

    samples: Samples

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.samples.shape

    def __getitem__(self, part: tuple[slice, slice]) -> Planes:
        return to_unit(self.samples[part])


def resize(planes: Values, height: int, width: int, part: Box | None = None) -> Planes:
    """Resample h, w, c values to `height`, `width`: Lanczos where they shrink, bicubic where they grow.

    Of the result only `part` is made, and only what it needs is read. Parts equal the whole where nothing shrinks;
    where rows and columns shrink, Pillow chooses by itself which of them come first, and they equal it but for the last
    bits of a float. Values may overshoot their range at edges; clip where that matters.
    """
    have, wanted = planes.shape[:2], (height, width)
    reduces = height < have[0] or width < have[1]
    if part is None or part == Box(0, 0, *wanted):
        return _resize_whole(planes, height, width, Image.Resampling.LANCZOS if reduces else Image.Resampling.BICUBIC)
    rows = taps_of(part.top, part.bottom, have[0], wanted[0], lanczos=reduces)
    columns = taps_of(part.left, part.right, have[1], wanted[1], lanczos=reduces)
    source = planes[slice(rows.first, rows.stop), slice(columns.first, columns.stop)].astype(np.float32, copy=False)
    return down(across(source, columns), rows)


def _resize_whole(planes: Values, height: int, width: int, kernel: Image.Resampling) -> Planes:
    source = planes[slice(None), slice(None)]
    resized = np.empty((height, width, planes.shape[2]), np.float32)
    for channel in range(planes.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(source[..., channel], dtype=np.float32))
        resized[..., channel] = np.asarray(plane.resize((width, height), kernel))
    return resized
