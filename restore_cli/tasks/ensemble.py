"""Colour planes through a network: grey as colour, and the average over the flips and turns of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restore_cli.restorer import Restorer, Run
from restore_cli.scratch import rows_in_bands
from restore_cli.tasks.resampling import Planes, UnitValues, Values
from restore_cli.telling import Progress, sub_progress
from restore_cli.tiling import Box

FLIPS: tuple[tuple[int, ...], ...] = ((), (1,))
"""Axes of h, w, c to mirror: none, and left to right."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in ITU-R BT.601 luma."""


@dataclass(frozen=True, slots=True)
class Colour:
    """Values (h, w, 1 or 3) as a network takes them, 3, h, w; only the part that is read is converted."""

    values: Values
    clipped: bool = False
    """What lies outside 0 to 1 is clipped."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """3, height and width."""
        return 3, self.values.shape[0], self.values.shape[1]

    def __getitem__(self, part: tuple[slice, slice, slice]) -> Tensor:
        x = to_colour(np.ascontiguousarray(self.values[part[1:]]))
        return x.clamp(0, 1) if self.clipped else x


def to_colour(planes: Planes) -> Tensor:
    """Turn h, w, 1 or 3 into 3, h, w; grey is repeated."""
    return torch.from_numpy(planes).permute(2, 0, 1).expand(3, -1, -1)


def from_colour(x: Tensor, channels: int) -> Planes:
    """Turn 3, h, w into h, w, `channels`; 1 takes the luma, alike for a part of a picture and the whole."""
    if channels == 1:
        x = sum(share * plane for share, plane in zip(LUMA, x, strict=True))[None]
    planes: Planes = x.permute(1, 2, 0).numpy()
    return planes


def to_levels(x: Tensor) -> Tensor:
    """Round values (3, h, w, nominally 0 to 1) to 8 bits as `to_samples` does, where they are: h, w, 3."""
    levels = x.new_empty((*x.shape[1:], 3), dtype=torch.uint8)
    for rows in rows_in_bands(len(levels), 3 * x[0, :1].nbytes):
        levels[rows] = x[:, rows].clamp(0, 1).mul_(255).round_().to(torch.uint8).permute(1, 2, 0)
    return levels


def restore_once(restorer: Restorer, planes: Planes, progress: Progress, *, tta: bool) -> tuple[Tensor, Run]:
    """Put planes (h, w, 1 or 3) through a network of scale 1: 3, h, w; `tta` as in `restore_onto`."""
    if not tta:
        return restorer.restore(to_colour(planes), progress)
    canvas = np.empty((*planes.shape[:2], 3), np.float32)
    run = restore_onto(canvas, restorer, Colour(planes), progress, tta=True)
    return torch.from_numpy(canvas).permute(2, 0, 1), run


def restore_onto(
    canvas: Planes,
    restorer: Restorer,
    picture: Colour,
    progress: Progress,
    *,
    tta: bool,
    release: Callable[[], None] = lambda: None,
) -> Run:
    """Put `picture` through the network and its result on `canvas` (height, width, 3), whose size a result has.

    `tta` averages over the eight symmetries of the square, each undone. `release` is called whenever a row of tiles is
    done.
    """
    if not tta:
        return _add_tiles(canvas, restorer, picture, progress, release, first=True)
    for index, turn in enumerate(_symmetries()):
        turned = replace(picture, values=_turned(picture.values, turn))
        share = sub_progress(progress, index / 8, 1 / 8)
        run = _add_tiles(turn(canvas), restorer, turned, share, release, first=index == 0)
    for rows in rows_in_bands(len(canvas), canvas[0].nbytes):
        canvas[rows] /= 8
        release()
    return run


def _add_tiles(
    canvas: Planes,
    restorer: Restorer,
    picture: Colour,
    progress: Progress,
    release: Callable[[], None],
    *,
    first: bool,
) -> Run:
    """Lay the result on `canvas`, or add it to what is there."""

    def take(tile: Tensor, box: Box) -> None:
        part, values = canvas[box.slices], from_colour(tile, 3)
        if first:
            part[...] = values
        else:
            part += values

    size = (canvas.shape[0], canvas.shape[1])
    return restorer.restore_tiles(picture, take, progress, lambda bottom: release(), size=size)


Turn = Callable[[NDArray[Any]], NDArray[Any]]
"""Turns or mirrors an array of h, w, c, as a view."""


def _turned(values: Values, turn: Turn) -> Values:
    if isinstance(values, UnitValues):
        return UnitValues(turn(values.samples))
    assert isinstance(values, np.ndarray)
    return turn(values)


def _symmetries() -> Iterator[Turn]:
    """Yield each of the four turns, upright and mirrored, on h, w, c."""
    for turns in range(4):
        for flip in FLIPS:
            yield partial(_turn, turns=turns, flip=flip)


def _turn(x: NDArray[Any], turns: int, flip: tuple[int, ...]) -> NDArray[Any]:
    return np.rot90(np.flip(x, flip), turns, (0, 1))
