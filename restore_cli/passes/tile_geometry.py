"""Where the tiles of one picture lie: what they read of it, and what of the result is made of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restore_cli.layers.sampling import Centres, place_centres
from restore_cli.tiling import Box


@dataclass(frozen=True, slots=True)
class TileGeometry:
    """Tiles are told by their cores, in pixels of the picture."""

    height: int
    width: int
    whole: Box
    """The picture, padded to the network's grid if need be."""
    size: tuple[int, int]
    """Height and width of the result, without what the picture was padded by."""
    halo: int

    def read_by(self, core: Box) -> Box:
        """Return what a tile reads: its core and its halo."""
        return core.grown(self.halo, self.whole.height, self.whole.width)

    def made_of(self, core: Box) -> Box:
        """Return the pixels of the result that are made of a core."""
        return core.resized((self.height, self.width), self.size)

    def rows(self, core: Box) -> Centres:
        """Place the result's rows over what a tile reads, for a continuous network."""
        made, origin = self.made_of(core), self.read_by(core).top
        return place_centres(self.height, self.size[0], start=made.top, stop=made.bottom, origin=origin)

    def columns(self, core: Box) -> Centres:
        """Place the result's columns likewise."""
        made, origin = self.made_of(core), self.read_by(core).left
        return place_centres(self.width, self.size[1], start=made.left, stop=made.right, origin=origin)

    def are_alike(self, first: Box, other: Box, *, is_continuous: bool) -> bool:
        """Tell whether the tiles of two cores of a row look the same to a network, their values apart."""
        reads, others = self.read_by(first), self.read_by(other)
        if (reads.height, reads.width) != (others.height, others.width) or first.within(reads) != other.within(others):
            return False
        if not is_continuous:
            return True
        mine, theirs = self.columns(first), self.columns(other)
        return torch.equal(mine.pixel, theirs.pixel) and torch.equal(mine.fraction, theirs.fraction)
