"""Tiles in, whole rows out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.tiling import Box


class RowBuffer:
    """Gathers tiles into rows as wide as the picture, and hands complete ones on, from the top down."""

    def __init__(self, width: int, emit: Callable[[int, NDArray[Any]], None]) -> None:
        """`emit` is called with the first row of each stretch of complete rows, and with those (h, width, c)."""
        self.width = width
        self.emit = emit
        self._top = 0
        self._rows: NDArray[Any] | None = None

    def put(self, tile: NDArray[Any], box: Box) -> None:
        """Take a tile (h, w, c) that lies at `box` of the picture."""
        missing = box.bottom - self._top - (0 if self._rows is None else len(self._rows))
        if self._rows is None:
            self._rows = np.empty((missing, self.width, tile.shape[2]), tile.dtype)
        elif missing > 0:  # the tiles of this row became smaller on the way
            more = np.empty((missing, *self._rows.shape[1:]), self._rows.dtype)
            self._rows = np.concatenate([self._rows, more])
        self._rows[box.top - self._top : box.bottom - self._top, box.left : box.right] = tile

    def finish(self, bottom: int) -> None:
        """Hand on what has been gathered; everything above row `bottom` is complete."""
        rows, top = self._rows, self._top
        assert rows is not None
        self._rows, self._top = None, bottom
        self.emit(top, rows[: bottom - top])
