"""A tile as networks see it: they drop what its core no longer needs while its features go through their blocks.

Each block sees some pixels around every other, so before the first one a tile needs a halo as wide as all of them see,
and before the last one only as wide as that sees. What is dropped cannot change the core's result by a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from restore_cli.layers.hardware import memory_format
from restore_cli.tiling import Box, round_up

WORTH_DROPPING = 0.3
"""Share of a tile's pixels from which on it pays to drop them: the others are copied for it."""
SMALLEST_SIDE = 64
"""Pixels on each side that are always left: over narrower planes some processors sum convolutions in another order."""


def _nothing() -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """What a network is told of a tile: where it lies in the whole picture, and what was measured of that."""

    box: Box
    """The tile, its halo included, in input pixels; the first one where several go through together."""
    core: Box
    """The pixels in it whose result is asked for."""
    whole: Box
    """The whole picture, padded to the network's grid where the network wants that; its corner is at 0, 0."""
    statistic: Tensor | None = None
    """Sum of the network's `measure` over all tiles; None where it measures nothing."""
    on_drop: Callable[[], None] = _nothing
    """Called when pixels were dropped, whose features leave gaps in memory."""

    @classmethod
    def of_whole(cls, x: Tensor) -> Part:
        """Return the part that a whole picture (n, 3, h, w) is."""
        whole = Box(0, 0, *x.shape[2:])
        return cls(whole, whole, whole)

    @property
    def place_of_core(self) -> Box:
        """The core as seen from the corner of the tile."""
        return self.core.within(self.box)

    def narrowed(self, reach: int, grid: int) -> Part:
        """Return the part without pixels further than `reach` from the core, itself if that are few.

        It begins and ends on the grid wherever this one does.
        """
        box = self.core.grown(round_up(reach, grid), self.whole.height, self.whole.width).overlap(self.box)
        kept = box.height * box.width / (self.box.height * self.box.width)
        pays = kept <= 1 - WORTH_DROPPING and min(box.height, box.width) >= SMALLEST_SIDE
        return replace(self, box=box) if pays else self

    def cut(self, planes: Tensor, inner: Part) -> Tensor:
        """Return a view of what `planes` (n, c, h, w, over this part's box) have over the box of `inner`."""
        return planes[:, :, *inner.box.within(self.box).slices]

    def keep(self, planes: Tensor, inner: Part) -> Tensor:
        """Return a copy of what `cut` returns, laid out as its device takes it; `planes` need not be kept."""
        if inner is self:
            return planes
        kept = self.cut(planes, inner).contiguous(memory_format=memory_format(planes.device))
        self.on_drop()
        return kept


def cut_core(picture: Tensor, part: Part | None, scale: int) -> Tensor:
    """Return the part's core of `picture` (n, 3, h·scale, w·scale, over its box), all of it where there is no part."""
    return picture if part is None else picture[:, :, *part.place_of_core.scaled(scale).slices]


def run_blocks(
    blocks: Sequence[nn.Module] | nn.Sequential, features: Tensor, part: Part, *, reach: int, after: int, grid: int
) -> tuple[Tensor, Part]:
    """Return what the blocks, one after the other, make of `features` (n, c, h, w, over the part's box), and of which.

    Each block sees `reach` pixels around every other; what comes after them sees `after`.
    """
    for index, block in enumerate(blocks, start=1):
        features = block(features)
        inner = part.narrowed(reach * (len(blocks) - index) + after, grid)
        features, part = part.keep(features, inner), inner
    return features, part
