"""MATLAB's imresize for 8-bit pictures: how the inputs of the usual test sets were made, to the last bit.

Bicubic (Keys, Cubic Convolution Interpolation for Digital Image Processing, IEEE TASSP 1981; a = -0.5), widened where
it reduces, the picture mirrored beyond its edges; rows first, and rounded to 8 bits after each direction.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from restore_cli.training.photographs import Samples

REACH = 2
"""Distance in pixels of the smaller picture up to which the kernel is not zero."""


def imresize(x: Samples, height: int, width: int) -> Samples:
    """Resize `x` (h, w, c uint8) to `height`, `width`."""
    rows = _round(np.tensordot(_weights(x.shape[0], height), x.astype(np.float64), (1, 0)))  # height, w, c
    columns = np.tensordot(_weights(x.shape[1], width), rows, (1, 1))  # width, height, c
    return _round(columns).swapaxes(0, 1).astype(np.uint8)


@lru_cache(maxsize=64)
def _weights(length: int, wanted: int) -> NDArray[np.float64]:
    """Return what each of `length` samples adds to each of `wanted` ones: wanted, length."""
    scale = wanted / length
    shrink = min(scale, 1.0)
    centres = (np.arange(wanted) + 0.5) / scale - 0.5
    first = np.floor(centres - REACH / shrink).astype(int)
    taps = first[:, None] + np.arange(int(np.ceil(2 * REACH / shrink)) + 2)  # wanted, taps
    weights = _cubic(np.abs(centres[:, None] - taps) * shrink)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = taps % (2 * length)
    mirrored = np.minimum(mirrored, 2 * length - 1 - mirrored)
    matrix = np.zeros((wanted, length))
    np.add.at(matrix, (np.arange(wanted)[:, None], mirrored), weights)
    return matrix


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the kernel at distances `x`, 0 or more."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < REACH, far, 0.0))


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round halves up, and clip to 8 bits."""
    return np.clip(np.floor(values + 0.5), 0, 255)
