"""Resize a picture while its rows come, in the memory of a few of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore_cli.tasks.kernel import Taps, taps_of
from restore_cli.tasks.resampling import Planes
from restore_cli.tasks.sizing import Size

ROWS, COLUMNS = 32, 64
"""Of the result, what is made by one product of matrices: most of the weights of a larger one would be zeros."""


class RowResizer:
    """Makes rows of a picture of another size, from the top down, as `resize` would make the whole picture.

    The same rows come out in whatever portions the others come in.
    """

    def __init__(self, have: Size, wanted: Size) -> None:
        """Resize from `have` to `wanted`, both height and width."""
        self.wanted = wanted
        self.reached = 0
        """Rows of the result that were made."""
        shrinks = wanted[0] < have[0] or wanted[1] < have[1]
        self._columns = [_matrix(taps) for taps in _blocks(have[1], wanted[1], COLUMNS, lanczos=shrinks)]
        self._rows = _blocks(have[0], wanted[0], ROWS, lanczos=shrinks)
        self._top = 0
        self._above: Tensor | None = None
        """Rows that came before and are still needed; the first of them is row `_top`."""

    def add(self, rows: Planes) -> Planes:
        """Take the next rows (h, w, c) and return those of the result that follow from them: h, w, c, or none."""
        window = _Window(self._top, self._above, torch.from_numpy(rows))
        count = sum(taps.stop <= window.bottom for taps in self._rows)
        made, self._rows = self._rows[:count], self._rows[count:]
        stop = self.wanted[0] if not self._rows else self.reached + ROWS * count
        result = torch.empty(stop - self.reached, self.wanted[1], rows.shape[2], dtype=torch.float32, device="cpu")
        for index, taps in enumerate(made):
            self._make(window, taps, result[ROWS * index : ROWS * (index + 1)])
        self.reached = stop
        self._top = self._rows[0].first if self._rows else window.bottom
        self._above = window.between(self._top, window.bottom).clone() if self._rows else None
        return result.numpy()

    def _make(self, window: _Window, taps: Taps, result: Tensor) -> None:
        """Fill `result` (h, w, c): first all columns of its rows, then its columns."""
        weights, source = _matrix(taps)[1], window.between(taps.first, taps.stop)
        for channel in range(source.shape[2]):
            rows = weights @ source[..., channel]
            blocks = torch.split(result[..., channel], COLUMNS, dim=1)
            for (first, share), block in zip(self._columns, blocks, strict=True):
                block.copy_(rows[:, first : first + share.shape[1]] @ share.T)


class _Window:
    """Rows that are at hand: a few above, and those that came last."""

    def __init__(self, top: int, above: Tensor | None, rows: Tensor) -> None:
        self._top = top
        self._above = above
        self._rows = rows
        self._middle = top + (0 if above is None else len(above))
        self.bottom = self._middle + len(rows)

    def between(self, first: int, stop: int) -> Tensor:
        """Return the rows from `first` to below `stop`."""
        below = self._rows[max(0, first - self._middle) : max(0, stop - self._middle)]
        if self._above is None or first >= self._middle:
            return below
        return torch.cat([self._above[first - self._top : stop - self._top], below])


def _blocks(have: int, wanted: int, most: int, *, lanczos: bool) -> list[Taps]:
    """Return the taps of all pixels along a side, in blocks of `most`."""
    stops = (min(start + most, wanted) for start in range(0, wanted, most))
    return [taps_of(most * index, stop, have, wanted, lanczos=lanczos) for index, stop in enumerate(stops)]


def _matrix(taps: Taps) -> tuple[int, Tensor]:
    """Return the first input pixel of taps, and their weights from there on: pixels made, pixels needed."""
    weights = np.zeros((len(taps.indices), taps.stop - taps.first))
    np.add.at(weights, (np.arange(len(weights))[:, None], taps.indices), taps.weights)
    return taps.first, torch.from_numpy(weights.astype(np.float32))
