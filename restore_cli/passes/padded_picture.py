"""A picture that is read in parts, and reflected beyond its edges."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from restore_cli.padding import reflected
from restore_cli.tiling import Box, round_up


class ColourSource(Protocol):
    """What can be read in parts as 3, h, w float32 on the host: a tensor, or what converts the part that is read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, part: tuple[slice, slice, slice], /) -> Tensor: ...


class PaddedPicture:
    """A picture (3, h, w), extended downwards and to the right until its sides are multiples of `grid`."""

    def __init__(self, picture: ColourSource, grid: int) -> None:
        self._picture = picture
        self.height, self.width = picture.shape[1:]
        self._rows, self._columns = (reflected(length, round_up(length, grid)) for length in (self.height, self.width))
        self.whole = Box(0, 0, len(self._rows), len(self._columns))

    def read(self, box: Box) -> Tensor:
        """Read 3, h, w; what lies beyond the picture is its reflection."""
        rows, columns = self._rows[box.top : box.bottom], self._columns[box.left : box.right]
        area = tuple(slice(int(indices.min()), int(indices.max()) + 1) for indices in (rows, columns))
        tile = self._picture[slice(None), area[0], area[1]]
        if box.bottom > self.height or box.right > self.width:
            tile = tile[:, rows - area[0].start][:, :, columns - area[1].start]
        return tile
