"""Rows of features that are worked on at a time, on a processor where no gradient is computed.

All of what lies between two layers can take more memory than everything else, and memory is slow at its first touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, and those next to them, which a 3x3 convolution reads."""

    own: slice
    around: slice
    """With one more row on either side, where there is one."""

    def crop(self, x: Tensor) -> Tensor:
        """Return the own rows of `x` (n, c, h, w), which was made of those around."""
        first = self.own.start - self.around.start
        return x[:, :, first : first + self.own.stop - self.own.start]


def divide_rows(height: int, width: int, pixels: int) -> Iterator[Rows]:
    """Divide `height` rows, from the top down, into such of about `pixels` pixels; at least one row each."""
    step = max(1, pixels // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield Rows(slice(top, bottom), slice(max(0, top - 1), min(bottom + 1, height)))
