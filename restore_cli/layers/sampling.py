"""Reading planes of features between their pixels, at positions that are the same number in a tile and in the whole.

A position is a whole pixel and a fraction beyond it. Only the whole pixel depends on where a tile begins, and it is
counted in integers, so the fraction, the weights made of it and the result are the same bits whatever the tile is.
Beyond its border a plane repeats its outermost pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Centres:
    """Where the centres of output pixels lie along one side of the input; m of them, in input pixels."""

    pixel: Tensor
    """m int64: the input pixel whose centre is the last one at or before each; -1 ahead of the first pixel's."""
    fraction: Tensor
    """m float32, 0 to below 1: how far beyond that pixel's centre."""
    cell: float
    """Side of an output pixel: 0.5 where the input grows by two."""

    def __len__(self) -> int:
        return len(self.pixel)

    def __getitem__(self, part: slice) -> Centres:
        return replace(self, pixel=self.pixel[part], fraction=self.fraction[part])

    def to(self, device: torch.device) -> Centres:
        """Return the centres with their tensors on `device`."""
        return replace(self, pixel=self.pixel.to(device), fraction=self.fraction.to(device))

    def seen_from(self, origin: int) -> Centres:
        """Return the same centres, counted from input pixel `origin`."""
        return replace(self, pixel=self.pixel - origin)

    @property
    def phase(self) -> Tensor:
        """How far beyond the nearest pixel's centre each lies, -0.5 to below 0.5: m float32."""
        return self.fraction - self._past_the_middle.float()

    @property
    def _past_the_middle(self) -> Tensor:
        return self.fraction >= 0.5

    def nearest(self, length: int) -> Tensor:
        """Return the pixel that each centre lies in (m int64) in an input `length` pixels long."""
        return (self.pixel + self._past_the_middle).clamp(0, length - 1)

    def neighbours(self, length: int) -> tuple[Tensor, Tensor]:
        """Return the pixels before and after each centre (m int64 each) in an input `length` pixels long."""
        return self.pixel.clamp(0, length - 1), (self.pixel + 1).clamp(0, length - 1)


def place_centres(have: int, wanted: int, *, start: int = 0, stop: int | None = None, origin: int = 0) -> Centres:
    """Place output pixels `start` to below `stop` of `wanted` over `have` input pixels, counted from input `origin`.

    The centre of output pixel i is at (i + 0.5) · have / wanted - 0.5, here in whole numbers: nothing is rounded but
    the fraction at the end.
    """
    i = torch.arange(start, wanted if stop is None else stop, device="cpu")
    position = (2 * i + 1) * have - wanted  # in units of 1 / (2 · wanted)
    pixel = torch.div(position, 2 * wanted, rounding_mode="floor")
    fraction = (position - 2 * wanted * pixel).double() / (2 * wanted)
    below_one = fraction.float().clamp_max(1 - torch.finfo(torch.float32).eps / 2)
    return Centres(pixel - origin, below_one, have / wanted)


def interpolate(x: Tensor, rows: Centres, columns: Centres) -> Tensor:
    """Interpolate `x` (n, h, w, c float32) bilinearly where rows and columns cross: n, rows, columns, c."""
    (above, below), (left, right) = rows.neighbours(x.shape[1]), columns.neighbours(x.shape[2])
    first, last = int(above.min()), int(below.max())  # what lies beyond a band of rows is not looked at
    near = x[:, first : last + 1]
    near = torch.lerp(near.index_select(2, left), near.index_select(2, right), columns.fraction[:, None])
    lines = near.flatten(2)  # n, last + 1 - first, columns · c
    above, below = (lines.index_select(1, row - first) for row in (above, below))
    return torch.lerp(above, below, rows.fraction[:, None]).view(len(x), len(rows), len(columns), -1)


def pick(x: Tensor, rows: Centres, columns: Centres) -> Tensor:
    """Return the pixels of `x` (n, h, w, c) in which rows and columns cross: n, rows, columns, c."""
    return x.index_select(1, rows.nearest(x.shape[1])).index_select(2, columns.nearest(x.shape[2]))


def sample(x: Tensor, rows: Centres, columns: Centres, right: Tensor, down: Tensor) -> Tensor:
    """Interpolate `x` bilinearly beside the crossings of rows and columns, by so many pixels `right` and `down`.

    `x` is n, h + 2, w + 2, c float32: features with the border that `repeat_border` lays around them. The offsets are
    n, rows, columns, g float32, one for each of g equal groups of channels. Returns n, rows, columns, c.
    """
    groups = right.shape[3]
    right = right.flatten(2) + columns.fraction.repeat_interleave(groups)  # n, rows, columns · g
    down = down.flatten(2) + rows.fraction[:, None]
    row, column = rows.pixel[:, None] + 1, columns.pixel.repeat_interleave(groups) + 1  # one later, for the border
    by_rows = x.device.type in ("cpu", "cuda") and not torch.is_grad_enabled()
    sampled = (_sum_rows if by_rows else _sample_grid)(x, row, column, right, down, groups)
    return sampled.view(len(x), len(rows), len(columns), -1)


def repeat_border(x: Tensor) -> Tensor:
    """Lay a border of one pixel, a repetition of the outermost, around `x` (n, h, w, c)."""
    rows, columns = (torch.arange(-1, length + 1, device=x.device).clamp_(0, length - 1) for length in x.shape[1:3])
    return x.index_select(1, rows).index_select(2, columns)


def _sum_rows(x: Tensor, row: Tensor, column: Tensor, right: Tensor, down: Tensor, groups: int) -> Tensor:
    """Sum four rows of a table that has one for every pixel and group; by far the fastest on a processor."""
    n, h, w, c = x.shape
    line = w * groups
    integer = torch.int32 if n * h * line < 1 << 31 else torch.int64
    steps_right, steps_down = right.floor(), down.floor()
    first = (steps_down.to(integer) + row.to(integer)).clamp_(0, h - 2).mul_(line)
    first += (steps_right.to(integer) + column.to(integer)).clamp_(0, w - 2).mul_(groups)
    first += torch.arange(groups, dtype=integer, device=x.device).repeat(first.shape[2] // groups)
    first += torch.arange(n, dtype=integer, device=x.device)[:, None, None] * (h * line)
    entries = torch.stack([first, first + groups, first + line, first + (line + groups)], dim=-1)
    right, down = right - steps_right, down - steps_down
    both = right * down
    below = down - both
    weights = torch.stack([1 - right - below, right - both, below, both], dim=-1)
    table = x.view(-1, c // groups)
    return F.embedding_bag(entries.view(-1, 4), table, per_sample_weights=weights.view(-1, 4), mode="sum")


def _sample_grid(x: Tensor, row: Tensor, column: Tensor, right: Tensor, down: Tensor, groups: int) -> Tensor:
    """Let torch sample every group at its positions; the fastest to differentiate, and there for every device."""
    n, h, w, c = x.shape
    planes = x.permute(0, 3, 1, 2).reshape(n * groups, c // groups, h, w)
    grid = torch.stack([_to_grid(right + column, w), _to_grid(down + row, h)], dim=-1)
    grid = grid.view(n, len(row), -1, groups, 2).permute(0, 3, 1, 2, 4).flatten(0, 1)  # n · g, rows, columns, 2
    sampled = F.grid_sample(planes, grid, align_corners=False)
    return sampled.view(n, c, len(row), -1).permute(0, 2, 3, 1).contiguous()


def _to_grid(position: Tensor, length: int) -> Tensor:
    """Return positions in pixels as `grid_sample` counts them, those beyond the border moved onto it.

    So `grid_sample` need not repeat the border, which many a PyTorch cannot on Apple Silicon. Half a pixel inside it
    lies the same as at its end, and no rounding reaches beyond.
    """
    return (2 * position.clamp(0.5, length - 1.5) + 1) / length - 1
