"""Where tiles lie: pure geometry in pixels, without pictures or networks.

A tile has a core, which is the part of its result that is kept, and around it a halo, which the network reads and
whose result is cut off. Cores cover the picture without overlap. All origins and sizes are multiples of the grid, but
for the last ones where the picture ends off the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """Row below the last one."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """Column after the last one."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array of h, w."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, margin: int, height: int, width: int) -> Box:
        """Return the box with `margin` more on every side, as far as a picture of `height`, `width` reaches."""
        top, left = max(0, self.top - margin), max(0, self.left - margin)
        bottom, right = min(height, self.bottom + margin), min(width, self.right + margin)
        return Box(top, left, bottom - top, right - left)

    def overlap(self, other: Box) -> Box:
        """Return the pixels that both boxes have; they have some."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        return Box(top, left, min(self.bottom, other.bottom) - top, min(self.right, other.right) - left)

    def within(self, outer: Box) -> Box:
        """Return the box as seen from the corner of `outer`."""
        return Box(self.top - outer.top, self.left - outer.left, self.height, self.width)

    def scaled(self, factor: int) -> Box:
        """Return the box in a picture that is `factor` times as large."""
        return Box(self.top * factor, self.left * factor, self.height * factor, self.width * factor)

    def resized(self, have: tuple[int, int], wanted: tuple[int, int]) -> Box:
        """Return the pixels whose centres lie in the box after its picture was resized.

        `have` and `wanted` are heights and widths of the picture before and after; the box may reach beyond it. Boxes
        that cover the picture without overlap do so afterwards.
        """
        top, bottom = (_first_centre(edge, have[0], wanted[0]) for edge in (self.top, self.bottom))
        left, right = (_first_centre(edge, have[1], wanted[1]) for edge in (self.left, self.right))
        return Box(top, left, bottom - top, right - left)


def plan_cores(area: Box, width: int, grid: int, height: int | None = None) -> list[Box]:
    """Divide `area` into cores of about equal size, none wider than `width` or higher than `height`, row by row.

    `area` begins on the grid, and cores do; `width` and `height` are rounded up to the grid. Without a height, cores
    are no higher than `width` either.

    Raises:
        ValueError: the area begins off the grid or is empty, or `width`, `height` or `grid` is below 1.
    """
    height = width if height is None else height
    if min(grid, width, height, area.height, area.width) < 1:
        raise ValueError(f"no tiles of {width}x{height} pixels on grid {grid} cover {area}")
    if area.top % grid or area.left % grid:
        raise ValueError(f"{area} begins off the grid of {grid}")
    rows = _divide(area.top, area.height, round_up(height, grid), grid)
    columns = _divide(area.left, area.width, round_up(width, grid), grid)
    return [Box(top, left, height, width) for top, height in rows for left, width in columns]


def round_up(length: int, grid: int) -> int:
    """Return the smallest multiple of `grid` that is not below `length`."""
    return -(-length // grid) * grid


def _first_centre(edge: int, have: int, wanted: int) -> int:
    """Return the first of `wanted` pixels whose centre, (i + 0.5) · have / wanted, is not before `edge`."""
    return min(-((have - 2 * edge * wanted) // (2 * have)), wanted)


def _divide(start: int, length: int, side: int, grid: int) -> list[tuple[int, int]]:
    count = math.ceil(length / side)
    cells = math.ceil(length / grid)
    edges = [start + min(grid * (cells * i // count), length) for i in range(count + 1)]
    return [(low, high - low) for low, high in pairwise(edges)]
