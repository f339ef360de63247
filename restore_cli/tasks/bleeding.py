"""Colour for pixels that nobody sees, taken from the nearest that show: else it would come out at edges."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from restore_cli.scratch import ArrayStorage, rows_in_bands
from restore_cli.tasks.resampling import Planes, Values, resize
from restore_cli.tiling import Box

Readable = TypeVar("Readable", bound=Values)


def bleed_colour(
    pixels: Readable, alpha: NDArray[Any], storage: ArrayStorage | None = None, *, limits: tuple[float, float] = (0, 1)
) -> Readable | Planes:
    """Give fully transparent pixels the colour of the nearest visible ones, so that no edge is seen there.

    `pixels` is h, w, c, within `limits`; `alpha` is h, w, above 0 where they are visible. Colours of visible pixels
    stay as they are.
    The colours are averaged over ever larger squares until all holes are filled (pull), and handed down again (push);
    all of it lies in `storage`, and is done in bands.
    """
    storage = storage or ArrayStorage()
    bands = [alpha[rows] for rows in rows_in_bands(len(alpha), alpha[0].nbytes)]
    if all((band > 0).all() for band in bands) or not any((band > 0).any() for band in bands):
        return pixels
    levels = [_visible_colour(pixels, alpha, storage)]
    while not levels[-1][1].all():
        levels.append(_halved(*levels[-1], storage))
    filled = levels.pop()[0]
    while levels:
        colour, known = levels.pop()
        _fill(colour, known, filled, storage)
        filled = colour
    for rows in rows_in_bands(len(filled), filled[0].nbytes):
        filled[rows].clip(*limits, out=filled[rows])
        storage.release()
    return filled


Level = tuple[Planes, NDArray[np.bool_]]
"""Colours, h, w, c, and where they are known, h, w, 1."""


def _visible_colour(pixels: Values, alpha: NDArray[Any], storage: ArrayStorage) -> Level:
    height, width, channels = pixels.shape
    colour = storage.empty((height, width, channels), np.float32)
    known = storage.empty((height, width, 1), np.bool_)
    for rows in rows_in_bands(height, colour[0].nbytes):
        known[rows] = alpha[rows, :, None] > 0
        colour[rows] = pixels[rows, slice(None)] * known[rows].astype(np.float32)
        storage.release()
    return colour, known


def _halved(colour: Planes, known: NDArray[np.bool_], storage: ArrayStorage) -> Level:
    """Average the known colours in squares of 2x2."""
    height, width, channels = colour.shape
    halved = storage.empty((-(-height // 2), -(-width // 2), channels), np.float32)
    found = storage.empty((*halved.shape[:2], 1), np.bool_)
    for rows in rows_in_bands(len(halved), 4 * halved[0].nbytes):
        source = slice(2 * rows.start, min(2 * rows.stop, height))
        weight = _halve(known[source].astype(np.float32))
        halved[rows] = _halve(colour[source]) / np.maximum(weight, 1)
        found[rows] = weight > 0
        storage.release()
    return halved, found


def _fill(colour: Planes, known: NDArray[np.bool_], coarse: Planes, storage: ArrayStorage) -> None:
    """Give unknown places of `colour` what `coarse`, of half its size, has there."""
    height, width = colour.shape[:2]
    for rows in rows_in_bands(height, 2 * colour[0].nbytes):
        band = Box(rows.start, 0, rows.stop - rows.start, width)
        colour[rows] = np.where(known[rows], colour[rows], resize(coarse, height, width, band))
        storage.release()


def _halve(values: Planes) -> Planes:
    """Sum squares of 2x2; an odd last row or column stands alone."""
    height, width, channels = values.shape
    even = np.zeros((height + height % 2, width + width % 2, channels), np.float32)
    even[:height, :width] = values
    halved: Planes = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, channels).sum(axis=(1, 3))
    return halved
