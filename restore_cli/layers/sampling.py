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
    i = torch.arange(start, wanted if stop is None else stop)
    position = (2 * i + 1) * have - wanted  # in units of 1 / (2 · wanted)
    pixel = torch.div(position, 2 * wanted, rounding_mode="floor")
    fraction = (position - 2 * wanted * pixel).double() / (2 * wanted)
    below_one = fraction.float().clamp_max(1 - torch.finfo(torch.float32).eps / 2)
    return Centres(pixel - origin, below_one, have / wanted)


def interpolate(x: Tensor, rows: Centres, columns: Centres) -> Tensor:
    """Interpolate `x` (n, h, w, c float32) bilinearly at every crossing of a row and a column: n, rows, columns, c."""
    (above, below), (left, right) = rows.neighbours(x.shape[1]), columns.neighbours(x.shape[2])
    lines = torch.lerp(x[:, above], x[:, below], rows.fraction[:, None, None])  # n, rows, w, c
    return torch.lerp(lines[:, :, left], lines[:, :, right], columns.fraction[:, None])


def sample(x: Tensor, rows: Centres, columns: Centres, offsets: Tensor) -> Tensor:
    """Interpolate `x` (n, h, w, c float32) bilinearly beside every crossing of a row and a column.

    `offsets` (n, rows, columns, 2 · g float32) tells how many pixels beside, for each of g equal groups of channels:
    first g times to the right, then g times downwards. Returns n, rows, columns, c.
    """
    right, down = offsets.chunk(2, dim=3)  # n, rows, columns, g
    down, right = down + rows.fraction[:, None, None], right + columns.fraction[:, None]
    if torch.is_grad_enabled() or x.device.type not in ("cpu", "cuda"):
        return _sample_grid(x, down + rows.pixel[:, None, None], right + columns.pixel[:, None])
    return _sample_rows(x, rows.pixel, columns.pixel, down, right)


def _sample_rows(x: Tensor, row: Tensor, column: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Sum four rows of a table that has one for every pixel and group; by far the fastest on a processor."""
    n, h, w, c = x.shape
    groups = down.shape[3]
    steps_down, steps_right = down.floor(), right.floor()
    down, right = down - steps_down, right - steps_right
    first_row = row[:, None, None] + steps_down.long()
    first_column = column[:, None] + steps_right.long()
    table_row = torch.arange(0, n * h * w * groups, h * w * groups, device=x.device)[:, None, None, None]
    table_row = table_row + torch.arange(groups, device=x.device)
    above = first_row.clamp(0, h - 1) * (w * groups) + table_row
    below = (first_row + 1).clamp_(0, h - 1) * (w * groups) + table_row
    before = first_column.clamp(0, w - 1) * groups
    after = (first_column + 1).clamp_(0, w - 1) * groups
    entries = torch.stack([above + before, above + after, below + before, below + after], dim=-1)
    up, left = 1 - down, 1 - right
    weights = torch.stack([up * left, up * right, down * left, down * right], dim=-1)
    sums = F.embedding_bag(
        entries.view(-1, 4), x.reshape(-1, c // groups), per_sample_weights=weights.view(-1, 4), mode="sum"
    )
    return sums.view(*down.shape[:3], c)


def _sample_grid(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Let torch sample every group at its positions; the fastest to differentiate, and there for every device."""
    n, h, w, c = x.shape
    groups = row.shape[3]
    planes = x.permute(0, 3, 1, 2).reshape(n * groups, c // groups, h, w)
    grid = torch.stack([(2 * column + 1) / w - 1, (2 * row + 1) / h - 1], dim=-1)  # n, rows, columns, g, 2
    grid = grid.permute(0, 3, 1, 2, 4).flatten(0, 1)
    sampled = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return sampled.view(n, c, *row.shape[1:3]).permute(0, 2, 3, 1)
