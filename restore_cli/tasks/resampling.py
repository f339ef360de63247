"""Plain resampling of float planes, without a network: Pillow's filters, which are exact at the borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_cli.picture.picture import Samples, to_unit
from restore_cli.scratch import Room, rows_in_bands
from restore_cli.tasks.kernel import across, down, taps_of
from restore_cli.tiling import Box

Planes = NDArray[np.float32]
"""h, w, c."""


class Values(Protocol):
    """What can be read in parts as h, w, c float32: an array, or `UnitValues`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, part: tuple[slice, slice], /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class UnitValues:
    """Samples (h, w, c) that are read as float32, 0 to 1; only the part that is read is converted."""

    samples: Samples

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.samples.shape

    def __getitem__(self, part: tuple[slice, slice]) -> Planes:
        return to_unit(self.samples[part])


def resize(planes: Values, height: int, width: int, part: Box | None = None) -> Planes:
    """Resample h, w, c values to `height`, `width`: Lanczos where they shrink, bicubic where they grow.

    Of the result only `part` is made, and only what it needs is read. Parts equal the whole where nothing shrinks;
    where rows and columns shrink, Pillow chooses by itself which of them come first, and they equal it but for the last
    bits of a float. Values may overshoot their range at edges; clip where that matters.
    """
    have, wanted = planes.shape[:2], (height, width)
    reduces = height < have[0] or width < have[1]
    if part is None or part == Box(0, 0, *wanted):
        return _resize_whole(planes, height, width, Image.Resampling.LANCZOS if reduces else Image.Resampling.BICUBIC)
    rows = taps_of(part.top, part.bottom, have[0], wanted[0], lanczos=reduces)
    columns = taps_of(part.left, part.right, have[1], wanted[1], lanczos=reduces)
    source = planes[slice(rows.first, rows.stop), slice(columns.first, columns.stop)].astype(np.float32, copy=False)
    return down(across(source, columns), rows)


def _resize_whole(planes: Values, height: int, width: int, kernel: Image.Resampling) -> Planes:
    source = planes[slice(None), slice(None)]
    resized = np.empty((height, width, planes.shape[2]), np.float32)
    for channel in range(planes.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(source[..., channel], dtype=np.float32))
        resized[..., channel] = np.asarray(plane.resize((width, height), kernel))
    return resized


Readable = TypeVar("Readable", bound=Values)


def bleed_colour(
    pixels: Readable, alpha: NDArray[Any], room: Room | None = None, *, limits: tuple[float, float] = (0, 1)
) -> Readable | Planes:
    """Give fully transparent pixels the colour of the nearest visible ones, so that no edge is seen there.

    `pixels` is h, w, c, within `limits`; `alpha` is h, w, above 0 where they are visible. Colours of visible pixels
    stay as they are.
    The colours are averaged over ever larger squares until all holes are filled (pull), and handed down again (push);
    all of it lies in `room`, and is done in bands.
    """
    room = room or Room()
    bands = [alpha[rows] for rows in rows_in_bands(len(alpha), alpha[0].nbytes)]
    if all((band > 0).all() for band in bands) or not any((band > 0).any() for band in bands):
        return pixels
    levels = [_visible_colour(pixels, alpha, room)]
    while not levels[-1][1].all():
        levels.append(_halved(*levels[-1], room))
    filled = levels.pop()[0]
    while levels:
        colour, known = levels.pop()
        _fill(colour, known, filled, room)
        filled = colour
    for rows in rows_in_bands(len(filled), filled[0].nbytes):
        filled[rows].clip(*limits, out=filled[rows])
        room.release()
    return filled


Level = tuple[Planes, NDArray[np.bool_]]
"""Colours, h, w, c, and where they are known, h, w, 1."""


def _visible_colour(pixels: Values, alpha: NDArray[Any], room: Room) -> Level:
    height, width, channels = pixels.shape
    colour = room.empty((height, width, channels), np.float32)
    known = room.empty((height, width, 1), np.bool_)
    for rows in rows_in_bands(height, colour[0].nbytes):
        known[rows] = alpha[rows, :, None] > 0
        colour[rows] = pixels[rows, slice(None)] * known[rows].astype(np.float32)
        room.release()
    return colour, known


def _halved(colour: Planes, known: NDArray[np.bool_], room: Room) -> Level:
    """Average the known colours in squares of 2x2."""
    height, width, channels = colour.shape
    halved = room.empty((-(-height // 2), -(-width // 2), channels), np.float32)
    found = room.empty((*halved.shape[:2], 1), np.bool_)
    for rows in rows_in_bands(len(halved), 4 * halved[0].nbytes):
        source = slice(2 * rows.start, min(2 * rows.stop, height))
        weight = _halve(known[source].astype(np.float32))
        halved[rows] = _halve(colour[source]) / np.maximum(weight, 1)
        found[rows] = weight > 0
        room.release()
    return halved, found


def _fill(colour: Planes, known: NDArray[np.bool_], coarse: Planes, room: Room) -> None:
    """Give unknown places of `colour` what `coarse`, of half its size, has there."""
    height, width = colour.shape[:2]
    for rows in rows_in_bands(height, 2 * colour[0].nbytes):
        band = Box(rows.start, 0, rows.stop - rows.start, width)
        colour[rows] = np.where(known[rows], colour[rows], resize(coarse, height, width, band))
        room.release()


def _halve(values: Planes) -> Planes:
    """Sum squares of 2x2; an odd last row or column stands alone."""
    height, width, channels = values.shape
    even = np.zeros((height + height % 2, width + width % 2, channels), np.float32)
    even[:height, :width] = values
    halved: Planes = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, channels).sum(axis=(1, 3))
    return halved
