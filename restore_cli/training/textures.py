"""Masks of textures, many nearly too fine for the reduced picture to hold: screens, cloth in folds, grain and fur."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from restore_cli.training.degradations import log_uniform

OVERSAMPLING = 3
"""A mask has so many times the pixels of the picture a side, so that edges are smooth."""
STRETCH = 0.35
"""By how much the folds of a cloth lengthen or shorten the period of its stripes, at the most."""

Plane = NDArray[np.float32]


def screen(side: int, scale: float, random: Generator) -> Image.Image:
    """Return stripes, or dots where two of them cross, within an ellipse or all over."""
    y, x = _places(side)
    finest = max(3, 2.2 * scale) * OVERSAMPLING / side
    wave = _wave(x, y, finest, random)
    if random.random() < 0.4:
        wave = np.minimum(wave, _wave(x, y, finest, random))
    inside = _ellipse(x, y, random)
    if random.random() < 0.4:
        inside[:] = True
    return _mask((wave > random.uniform(-0.6, 0.6)) & inside)


def cloth(side: int, scale: float, random: Generator) -> Image.Image:
    """Return fine stripes, hard or soft, bent by folds and shaded by them."""
    y, x = _places(side)
    angle, phase = random.uniform(0, 2 * np.pi, 2)
    period = max(3, 2 * scale) * log_uniform((1, 3), random) * OVERSAMPLING / side
    folds = int(random.integers(2, 7))
    depth = STRETCH * random.uniform(0, 1) / (4 * folds * period)  # in periods, over a quarter of a fold
    along = (np.cos(angle) * x + np.sin(angle) * y) / period + depth * _clouds(side, (folds, folds), random)
    wave: Plane = np.sin(2 * np.pi * along + phase).astype(np.float32)
    shade = 1 - random.uniform(0, 0.8) * _levelled(_clouds(side, (folds, folds), random))
    return _mask(_contrasted(wave, random) * shade * _ellipse(x, y, random))


def grain(side: int, scale: float, random: Generator) -> Image.Image:
    """Return specks, or hairs that lie in one direction, hard or soft, in patches."""
    finest = max(1.5, scale) * OVERSAMPLING
    width = finest * log_uniform((1, 4), random)
    length = width * log_uniform((1, 10), random) if random.random() < 0.6 else width
    larger = round(side * 1.5)  # turned, it still covers the square
    field = _clouds(larger, (max(2, round(larger / width)), max(2, round(larger / length))), random)
    turned = Image.fromarray(field).rotate(float(random.uniform(0, 180)), Image.Resampling.BILINEAR)
    corner = (larger - side) // 2
    least = np.float32(random.uniform(-0.5, 1))
    specks = np.asarray(turned)[corner : corner + side, corner : corner + side] - least
    patches = _levelled(_clouds(side, (4, 4), random) * 3)
    return _mask(_contrasted(specks, random) * patches)


def _places(side: int) -> tuple[Plane, Plane]:
    """Return y and x, 0 to 1, of every pixel."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    return y, x


def _ellipse(x: Plane, y: Plane, random: Generator) -> NDArray[np.bool_]:
    middle, half = random.uniform(0, 1, 2), random.uniform(0.15, 1, 2)
    inside: NDArray[np.bool_] = ((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 < 1
    return inside


def _wave(x: Plane, y: Plane, finest: float, random: Generator) -> Plane:
    """Return a bent wave (-1 to 1) over places `x`, `y` (0 to 1), in any direction, one to seven times the finest."""
    angle, phase, turn = random.uniform(0, 2 * np.pi, 3)
    period = finest * log_uniform((1, 7), random)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.sin(angle) * x - np.cos(angle) * y
    bend = random.uniform(0, 0.3) * np.sin(4 * across + turn)
    wave: Plane = np.sin(2 * np.pi * (along + bend) / period + phase).astype(np.float32)
    return wave


def _clouds(side: int, cells: tuple[int, int], random: Generator) -> Plane:
    """Return smooth noise of deviation about 1, with so many independent values over the columns and the rows."""
    columns, rows = cells
    values = Image.fromarray(random.standard_normal((rows, columns)).astype(np.float32))
    return np.asarray(values.resize((side, side), Image.Resampling.BICUBIC))


def _levelled(field: Plane) -> Plane:
    """Return `field` between 0 and 1."""
    return np.clip(field / 2 + 0.5, 0, 1)


def _contrasted(field: Plane, random: Generator) -> Plane:
    """Return `field` between 0 and 1, from soft to nearly black and white."""
    return _levelled(field * np.float32(log_uniform((0.7, 6), random)))


def _mask(share: NDArray[np.bool_] | Plane) -> Image.Image:
    return Image.fromarray((share * np.float32(255)).astype(np.uint8))
