"""Colour planes through a network: grey as colour, and the average over the flips and turns of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from restore_cli.resampling import Planes
from restore_cli.restorer import Restorer, Run
from restore_cli.tile_pass import Progress

FLIPS: tuple[tuple[int, ...], ...] = ((), (2,))
"""Axes of c, h, w to mirror: none, and left to right."""
LUMA = torch.tensor([0.299, 0.587, 0.114])
"""Weights of red, green and blue in ITU-R BT.601 luma."""


def to_colour(planes: Planes) -> Tensor:
    """Turn h, w, 1 or 3 into 3, h, w; grey is repeated."""
    return torch.from_numpy(planes).permute(2, 0, 1).expand(3, -1, -1)


def from_colour(x: Tensor, channels: int) -> Planes:
    """Turn 3, h, w into h, w, `channels`; 1 takes the luma."""
    if channels == 1:
        x = torch.einsum("c,chw->hw", LUMA, x)[None]
    planes: Planes = x.permute(1, 2, 0).numpy()
    return planes


def restore_once(
    restorer: Restorer, x: Tensor, progress: Progress, *, tta: bool, size: tuple[int, int] | None = None
) -> tuple[Tensor, Run]:
    """Put `x` (3, h, w) through the network; `tta` averages over the eight symmetries of the square, each undone.

    `size` is the height and width of the result, as `Restorer.restore` takes it.
    """
    if not tta:
        return restorer.restore(x, progress, size=size)
    total = None
    for index, (turn, undo, lies) in enumerate(_symmetries()):
        turned_size = size[::-1] if size and lies else size
        share = part_of(progress, index / 8, 1 / 8)
        restored, run = restorer.restore(turn(x).contiguous(), share, size=turned_size)
        total = undo(restored) if total is None else total + undo(restored)
    assert total is not None
    return total / 8, run


def part_of(progress: Progress, start: float, share: float) -> Progress:
    """Return the progress of a part that begins at `start` and makes up `share` of the whole."""
    return lambda part: progress(start + share * part)


def _symmetries() -> Iterator[tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], bool]]:
    """Yield each of the four turns, upright and mirrored, on c, h, w; its inverse; whether it exchanges h and w."""
    for turns in range(4):
        for flip in FLIPS:
            turn, undo = partial(_turn, turns=turns, flip=flip), partial(_undo_turn, turns=turns, flip=flip)
            yield turn, undo, turns % 2 == 1


def _turn(x: Tensor, turns: int, flip: tuple[int, ...]) -> Tensor:
    return torch.rot90(x.flip(flip), turns, (1, 2))


def _undo_turn(x: Tensor, turns: int, flip: tuple[int, ...]) -> Tensor:
    return torch.rot90(x, -turns, (1, 2)).flip(flip)
