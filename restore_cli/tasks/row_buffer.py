"""Tiles in, whole rows out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.scratch import map_memory
from restore_cli.tiling import Box

OWN_MAPPING = 1 << 20
"""Bytes from which on rows do not come from the heap."""


class RowBuffer:
    """Gathers tiles into rows as wide as the picture, and hands complete ones on, from the top down."""

    def __init__(self, width: int, emit: Callable[[int, NDArray[Any]], None]) -> None:
        """`emit` is called with the first row of each stretch of complete rows, and with those (h, width, c)."""
        self.width = width
        self.emit = emit
        self._top = 0
        self._rows: NDArray[Any] | None = None

    def put(self, tile: NDArray[Any], box: Box) -> None:
        """Take a tile (h, w, c) that lies at `box` of the picture; it is the buffer's from now on."""
        if self._rows is None and (box.left, box.right) == (0, self.width):
            self._rows = tile
            return
        missing = box.bottom - self._top - (0 if self._rows is None else len(self._rows))
        if self._rows is None:
            self._rows = _fresh((missing, self.width, tile.shape[2]), tile.dtype)
        elif missing > 0:  # the tiles of this row became smaller on the way
            higher = _fresh((len(self._rows) + missing, *self._rows.shape[1:]), self._rows.dtype)
            higher[: len(self._rows)] = self._rows
            self._rows = higher
        self._rows[box.top - self._top : box.bottom - self._top, box.left : box.right] = tile

    def finish(self, bottom: int) -> None:
        """Hand on what has been gathered; everything above row `bottom` is complete."""
        rows, top = self._rows, self._top
        assert rows is not None
        below = rows[bottom - top :]  # of larger tiles, where those after them had to be smaller
        self._rows, self._top = below if len(below) else None, bottom
        self.emit(top, rows[: bottom - top])


def _fresh(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of undefined content; large ones go back to the system when they are gone, and leave no gaps."""
    wanted = math.prod(shape) * dtype.itemsize
    if wanted < OWN_MAPPING:
        return np.empty(shape, dtype)
    return np.frombuffer(map_memory(wanted), dtype).reshape(shape)
