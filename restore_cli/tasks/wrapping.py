"""What lies behind a picture's edges: put there before a network sees it, and cut off after it.

Where edges meet, it is the other side of the picture; elsewhere the picture's reflection, for networks that need one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.padding import reflected
from restore_cli.picture.picture import Picture
from restore_cli.scratch import ArrayStorage, rows_in_bands
from restore_cli.tasks.sizing import Size
from restore_cli.tasks.traits import Wrap
from restore_cli.tiling import round_up


@dataclass(frozen=True, slots=True)
class Margin:
    """Pixels that are put around a picture, and around its result."""

    have: Size
    """Height and width of the picture."""
    wanted: Size
    """Height and width of its result."""
    rows: int
    """Above the picture, and as many below."""
    columns: int
    """Left of the picture, and as many at the right."""
    wraps: tuple[bool, bool]
    """Whether rows are those of the other side, and whether columns are; else they are reflected."""

    @classmethod
    def around(cls, wrap: Wrap | None, have: Size, wanted: Size, reach: int, *, reflected: int = 0) -> Margin:
        """Return a margin of `reach` pixels or more, so wide that it has whole pixels around the result, too.

        Behind edges that do not meet it is `reflected` pixels wide; if any, the result has the picture's size.
        """
        axes = (False, False) if wrap is None else wrap.axes
        rows, columns = (
            round_up(reach, length // math.gcd(length, result)) if wraps else reflected
            for wraps, length, result in zip(axes, have, wanted, strict=True)
        )
        return cls(have, wanted, rows, columns, axes)

    @property
    def extended_result(self) -> Size:
        """Height and width of the result of the extended picture."""
        return self.wanted[0] + 2 * self._result_rows, self.wanted[1] + 2 * self._result_columns

    def extend(self, picture: Picture) -> Picture:
        """Return `picture` with its margin; arrays lie in its storage."""
        return picture.with_each(lambda array: self.extend_array(array, picture.storage))

    def cutting(self, receive: Callable[[Picture], None]) -> Callable[[Picture], None]:
        """Return what takes bands of the extended result, from the top down, and hands on those of the result."""
        first, columns, reached = self._result_rows, self.inside[1], 0

        def take(band: Picture) -> None:
            nonlocal reached
            top, reached = reached, reached + band.height
            rows = slice(max(first - top, 0), min(first + self.wanted[0] - top, band.height))
            if rows.start < rows.stop:
                receive(band.with_each(lambda array: np.ascontiguousarray(array[rows, columns])))

        return take

    def extend_array(self, array: NDArray[Any], storage: ArrayStorage) -> NDArray[Any]:
        """Return an array (h, w, ...) of the picture with its margin, in `storage`; itself where there is none."""
        if not self.rows and not self.columns:
            return array
        rows, columns = map(_places_around, self.have, (self.rows, self.columns), self.wraps)
        extended = storage.empty((len(rows), len(columns), *array.shape[2:]), array.dtype)
        for band in rows_in_bands(len(rows), extended[0].nbytes):
            extended[band] = array[rows[band]][:, columns]
            storage.release()
        return extended

    @property
    def inside(self) -> tuple[slice, slice]:
        """Where the result lies in that of the extended picture."""
        top, left = self._result_rows, self._result_columns
        return slice(top, top + self.wanted[0]), slice(left, left + self.wanted[1])

    @property
    def _result_rows(self) -> int:
        return self.rows * self.wanted[0] // self.have[0]

    @property
    def _result_columns(self) -> int:
        return self.columns * self.wanted[1] // self.have[1]


def _places_around(length: int, around: int, wraps: bool) -> NDArray[np.int64]:
    """Return which rows or columns lie on a side of `length` and so far `around` it."""
    if wraps:
        return np.arange(-around, length + around) % length
    return np.asarray(reflected(length, length + around, around))
