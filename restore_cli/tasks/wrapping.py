"""Pictures whose edges meet: what lies behind an edge is put there before the network sees it, and cut off after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.picture.picture import Picture
from restore_cli.scratch import ArrayStorage, rows_in_bands
from restore_cli.tasks.sizing import Size
from restore_cli.tasks.traits import Wrap
from restore_cli.tiling import round_up


@dataclass(frozen=True, slots=True)
class Margin:
    """Pixels of the other side that are put around a picture, and around its result."""

    have: Size
    """Height and width of the picture."""
    wanted: Size
    """Height and width of its result."""
    rows: int
    """Above the picture, and as many below."""
    columns: int
    """Left of the picture, and as many at the right."""

    @classmethod
    def around(cls, wrap: Wrap, have: Size, wanted: Size, reach: int) -> Margin:
        """Return a margin of `reach` pixels or more, so wide that it has whole pixels around the result, too."""
        rows, columns = (
            round_up(reach, length // math.gcd(length, result)) if wraps else 0
            for wraps, length, result in zip(wrap.axes, have, wanted, strict=True)
        )
        return cls(have, wanted, rows, columns)

    @property
    def extended_result(self) -> Size:
        """Height and width of the result of the extended picture."""
        return self.wanted[0] + 2 * self._result_rows, self.wanted[1] + 2 * self._result_columns

    def extend(self, picture: Picture) -> Picture:
        """Return `picture` with its margin; arrays lie in its storage."""
        return picture.with_each(lambda array: self._extend(array, picture.storage))

    def cut(self, result: Picture) -> Picture:
        """Return the result of the extended picture without the margin."""
        return self._cut(result, slice(self._result_rows, self._result_rows + self.wanted[0]))

    def cutting(self, receive: Callable[[Picture], None]) -> Callable[[Picture], None]:
        """Return what takes bands of the extended result, from the top down, and hands on those of the result."""
        first, reached = self._result_rows, 0

        def take(band: Picture) -> None:
            nonlocal reached
            top, reached = reached, reached + band.height
            rows = slice(max(first - top, 0), min(first + self.wanted[0] - top, band.height))
            if rows.start < rows.stop:
                receive(self._cut(band, rows))

        return take

    @property
    def _result_rows(self) -> int:
        return self.rows * self.wanted[0] // self.have[0]

    @property
    def _result_columns(self) -> int:
        return self.columns * self.wanted[1] // self.have[1]

    def _cut(self, result: Picture, rows: slice) -> Picture:
        columns = slice(self._result_columns, self._result_columns + self.wanted[1])
        return result.with_each(lambda array: np.ascontiguousarray(array[rows, columns]))

    def _extend(self, array: NDArray[Any], storage: ArrayStorage) -> NDArray[Any]:
        height, width = self.have
        rows = np.arange(-self.rows, height + self.rows) % height
        columns = np.arange(-self.columns, width + self.columns) % width
        extended = storage.empty((len(rows), len(columns), *array.shape[2:]), array.dtype)
        for band in rows_in_bands(len(rows), extended[0].nbytes):
            extended[band] = array[rows[band]][:, columns]
            storage.release()
        return extended
