"""Plain resampling of float planes, without a network: Pillow's filters, which are exact at the borders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Planes = NDArray[np.float32]
"""h, w, c."""


def resize(planes: NDArray[Any], height: int, width: int) -> Planes:
    """Resample h, w, c values to `height`, `width`: Lanczos where they shrink, bicubic where they grow.

    Values may overshoot their range at edges; clip where that matters.
    """
    reduces = height < planes.shape[0] or width < planes.shape[1]
    kernel = Image.Resampling.LANCZOS if reduces else Image.Resampling.BICUBIC
    resized = np.empty((height, width, planes.shape[2]), np.float32)
    for channel in range(planes.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(planes[..., channel], dtype=np.float32))
        resized[..., channel] = np.asarray(plane.resize((width, height), kernel))
    return resized


def bleed_colour(pixels: Planes, alpha: NDArray[np.float32]) -> Planes:
    """Give fully transparent pixels the colour of the nearest visible ones, so that no edge is seen there.

    `pixels` is h, w, c; `alpha` is h, w, 0 to 1. Colours of visible pixels stay as they are. The colours are averaged
    over ever larger squares until all holes are filled (pull), and handed down again (push).
    """
    visible = (alpha > 0).astype(np.float32)[..., None]
    if visible.all() or not visible.any():
        return pixels
    levels = [(pixels * visible, visible)]
    while not levels[-1][1].all():
        colour, weight = (_halve(values) for values in levels[-1])
        known = (weight > 0).astype(np.float32)
        levels.append((colour / np.maximum(weight, 1), known))
    filled = levels.pop()[0]
    while levels:
        colour, known = levels.pop()
        filled = np.where(known > 0, colour, resize(filled, *colour.shape[:2]))
    return filled.clip(0, 1)


def _halve(values: Planes) -> Planes:
    """Sum squares of 2x2; an odd last row or column stands alone."""
    height, width, channels = values.shape
    even = np.zeros((height + height % 2, width + width % 2, channels), np.float32)
    even[:height, :width] = values
    halved: Planes = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, channels).sum(axis=(1, 3))
    return halved
