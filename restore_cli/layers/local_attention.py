"""Local importance attention: features are weighed by a coarse map of how much matters where, and by a gate.

Paper: Wang, Li, Wang, Liu: PlainUSR: Chasing Faster ConvNet for Efficient Super-Resolution, ACCV 2024,
arXiv:2409.13435; pooling: Stergiou, Poppe, Kalliatakis: Refining Activation Downsampling with SoftPool, ICCV 2021,
arXiv:2101.00440. Original code: https://github.com/icandle/PlainUSR (MIT). Parameter names are the published ones.

Different here: the map is stretched by a routine that can do so for a tile exactly as for the whole picture, whose size
the stretch depends on; windows are averaged in float32 and with a maximum taken off the exponents, which pass 88 in
pictures of hard edges and noise; a picture smaller than a window is one cell.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.hardware import is_on_host_without_gradient
from restore_cli.layers.sampling import Centres, place_centres

WINDOW, STRIDE = 7, 3
"""Side of a pooling window in pixels, and the distance of two."""
BAND = 16
"""Rows of windows that are averaged at a time."""
LARGEST = 60.0
"""Size of values up to which float32 holds their exponentials, and a window's sum of these times the values."""
CELL = 2 * STRIDE
"""Distance in pixels of two cells of the map; a tile must begin on this grid."""
RECEPTIVE_FIELD = 23
"""Pixels around a pixel that the attention sees: two cells, the windows of their neighbours, and CELL of drift."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels of features lie on their own map, which is a part of that of a whole picture."""

    rows: Centres
    columns: Centres


def place_pixels(start: int, length: int, whole: int) -> Centres:
    """Place `length` pixels, from pixel `start` of an axis that is `whole` long, on the map of these pixels alone.

    The map of the whole axis is stretched over all its pixels, so that its cells drift away from the pixels that they
    were made of, by up to CELL; `start` is a multiple of CELL.
    """
    return place_centres(count_cells(whole), whole, start=start, stop=start + length, origin=start // CELL)


def count_cells(length: int) -> int:
    """Return how many cells an axis of `length` pixels makes."""
    pooled = max(length - WINDOW, 0) // STRIDE + 1
    return (pooled - 1) // 2 + 1


def stretch_columns(cells: Tensor, columns: Centres) -> Tensor:
    """Interpolate a map (n, c, cells, cells) linearly along its rows: n, cells, w, c."""
    pixels = cells.permute(0, 2, 3, 1)  # n, cells, cells, c
    neighbours = columns.neighbours(pixels.shape[2])
    before, after = (pixels.index_select(2, index.to(cells.device)) for index in neighbours)
    return before.lerp_(after, columns.fraction.to(cells)[:, None])


def stretch_rows(lines: Tensor, rows: Centres) -> Iterator[tuple[slice, Tensor]]:
    """Interpolate `lines` (n, cells, w, c) linearly; yield rows between the same cells, and their n, rows, w, c.

    So few rows at a time, about CELL, stay in a processor's caches until they are used.
    """
    before, after = rows.neighbours(lines.shape[1])
    between = zip(before.tolist(), after.tolist(), strict=True)
    shares = rows.fraction.to(lines)[:, None, None]
    start = 0
    for (above, below), group in itertools.groupby(between):
        stop = start + sum(1 for _ in group)
        yield slice(start, stop), torch.lerp(lines[:, above, None], lines[:, below, None], shares[start:stop])
        start = stop


class SoftPool(nn.Module):
    """Average windows, every value weighed by its exponential.

    Input n, c, h, w; output n, c, (h - WINDOW) // STRIDE + 1 and likewise w. A side below WINDOW is one window.
    Computed in float32 at least, and a few rows at a time, which stay in a processor's caches.
    """

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1)  # n, h, w, c
        pooled = max(x.shape[2] - WINDOW, 0) // STRIDE + 1
        band = BAND if is_on_host_without_gradient(x) else pooled
        parts = []
        for top in range(0, pooled, band):
            count = min(band, pooled - top)
            rows = pixels[:, STRIDE * top : STRIDE * (top + count - 1) + WINDOW]
            parts.append(_average(rows.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype))
        return torch.cat(parts, dim=1).permute(0, 3, 1, 2)


class LocalAttention(nn.Module):
    """Weigh features by the stretched map of their importance, and by the sigmoid of their first channel.

    n, channels, h, w both ways; `place` tells where they lie in the whole picture. The map has `hidden` channels on the
    way.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            SoftPool(),
            nn.Conv2d(hidden, hidden, 3, stride=2, padding=1),
            nn.Conv2d(hidden, channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor, place: Place, into: Tensor) -> Tensor:
        """Weigh `x`; the result lies in `into`, which may be `x`, except in training."""
        lines = stretch_columns(self.body(x), place.columns)  # n, cells, w, channels
        weighed = x.permute(0, 2, 3, 1)  # n, h, w, channels
        if torch.is_grad_enabled():
            weights = torch.cat([part for _, part in stretch_rows(lines, place.rows)], dim=1)
            return (weighed * weights * torch.sigmoid(weighed[..., :1])).permute(0, 3, 1, 2)
        pixels = into.permute(0, 2, 3, 1)
        gate = torch.sigmoid(weighed[..., :1].contiguous())  # n, h, w, 1
        for rows, weights in stretch_rows(lines, place.rows):
            torch.mul(weighed[:, rows], weights.mul_(gate[:, rows]), out=pixels[:, rows])
        return into


class FastLocalAttention(nn.Module):
    """Weigh features by a map of their own size, and by the sigmoid of their first channel. n, channels, h, w."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.body(x) * torch.sigmoid(x[:, :1])
        return weights.mul_(x)


def _average(values: Tensor) -> Tensor:
    """Average the windows of `values` (n, h, w, c), each value weighed by its exponential.

    Exponentials of the values themselves, not of how far they are below the largest of their window, take half the
    time, and do where no value is large. An average then depends on its own window alone, whatever the tile is.
    """
    if not is_on_host_without_gradient(values) or min(values.shape[1:3]) < WINDOW:
        return _average_windows_apart(values)
    least, most = values.aminmax()
    if not max(-least, most) <= LARGEST:
        return _average_windows_apart(values)
    weights = values.exp()
    total, mass = (F.avg_pool2d(x.permute(0, 3, 1, 2), WINDOW, STRIDE) for x in (values * weights, weights))
    return (total / mass).permute(0, 2, 3, 1)


def _average_windows_apart(values: Tensor) -> Tensor:
    """Do what `_average` does with a maximum for each window, along one side after the other."""
    averages = logs = values
    for dim in (1, 2):
        averages, logs = _average_windows(averages, logs, dim)
    return averages


def _average_windows(values: Tensor, logs: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Average windows of `values` along `dim`, weighed by e^`logs`; return averages, and the logs of their weights."""
    window = min(WINDOW, values.shape[dim])
    steps = [tensor.unfold(dim, window, STRIDE).unbind(-1) for tensor in (values, logs)]
    peak = functools.reduce(torch.maximum, steps[1]).detach()
    total, mass = torch.zeros_like(peak), torch.zeros_like(peak)
    for value, log in zip(*steps, strict=True):
        weight = (log - peak).exp_()
        total, mass = torch.addcmul(total, weight, value), mass + weight
    return total / mass, mass.log() + peak
