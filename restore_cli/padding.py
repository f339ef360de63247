"""Pictures extended by their reflection, to sides that a network can take."""

from __future__ import annotations

import torch
from torch import Tensor

from restore_cli.tiling import round_up


def pad_to_grid(picture: Tensor, grid: int) -> Tensor:
    """Extend `picture` (..., h, w) by reflection below and to the right until its sides are multiples of `grid`."""
    height, width = picture.shape[-2:]
    rows = reflected(height, round_up(height, grid))
    columns = reflected(width, round_up(width, grid))
    return picture[..., rows, :][..., columns]


def reflected(length: int, padded: int, before: int = 0) -> Tensor:
    """Return the indices 0 .. length-1 .. 0 .. of a reflection that repeats no edge: `padded`, and some `before` them.

    A reflection shorter than that is reflected in turn, and a single pixel repeated.
    """
    period = max(2 * (length - 1), 1)
    folded = torch.arange(-before, padded, device="cpu") % period
    return torch.minimum(folded, period - folded)
