"""Pillow's resampling of floats, for parts of a picture.

Pillow takes the part to resize in single precision, which moves parts of a large picture by up to a thousandth of a
pixel. Here the same sums are made in the same order, first along rows and then along columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Taps:
    """What m output pixels along one side are made of."""

    first: int
    """The first input pixel that any of them needs."""
    stop: int
    """The input pixel after the last that any of them needs."""
    indices: NDArray[np.intp]
    """m, taps: input pixels, counted from the first; a pixel that needs fewer repeats its last with weight 0."""
    weights: NDArray[np.float64]
    """m, taps."""


@lru_cache(maxsize=4)
def taps_of(start: int, stop: int, have: int, wanted: int, *, lanczos: bool) -> Taps:
    """Return the taps of pixels `start` to below `stop` of a side of `have` pixels that becomes `wanted` long."""
    kernel, reach = (_lanczos, 3.0) if lanczos else (_bicubic, 2.0)
    scale = have / wanted
    stretch = max(scale, 1.0)
    support = reach * stretch
    firsts, rows = [], []
    for pixel in range(start, stop):
        centre = (pixel + 0.5) * scale
        first, end = max(0, int(centre - support + 0.5)), min(have, int(centre + support + 0.5))
        rows.append(_weigh(kernel, first, end, centre, 1 / stretch))
        firsts.append(first)
    count = max(len(row) for row in rows)
    lowest = min(firsts)
    highest = max(first + len(row) for first, row in zip(firsts, rows, strict=True))
    weights = np.array([row + [0.0] * (count - len(row)) for row in rows])
    indices = np.minimum(np.array(firsts)[:, None] + np.arange(count), highest - 1) - lowest
    return Taps(lowest, highest, indices, weights)


def across(values: NDArray[np.float32], taps: Taps) -> NDArray[np.float32]:
    """Resample the columns of h, w, c values; column 0 is the taps' first."""
    total = np.zeros((values.shape[0], len(taps.indices), values.shape[2]))
    for index, weight in zip(taps.indices.T, taps.weights.T, strict=True):
        total += values[:, index] * weight[:, None]
    return total.astype(np.float32)


def down(values: NDArray[np.float32], taps: Taps) -> NDArray[np.float32]:
    """Resample the rows of h, w, c values; row 0 is the taps' first."""
    total = np.zeros((len(taps.indices), *values.shape[1:]))
    for index, weight in zip(taps.indices.T, taps.weights.T, strict=True):
        total += values[index] * weight[:, None, None]
    return total.astype(np.float32)


def _weigh(kernel: Callable[[float], float], first: int, end: int, centre: float, step: float) -> list[float]:
    weights = [kernel((pixel - centre + 0.5) * step) for pixel in range(first, end)]
    whole = 0.0  # added up as Pillow does; sum() rounds otherwise from Python 3.12 on
    for weight in weights:
        whole += weight
    return [weight / whole for weight in weights] if whole else weights


def _bicubic(x: float) -> float:
    a, x = -0.5, abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0


def _sinc(x: float) -> float:
    return math.sin(x * math.pi) / (x * math.pi) if x else 1.0
