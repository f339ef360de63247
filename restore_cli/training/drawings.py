"""Pictures drawn by chance: writing, strokes, shapes and screens.

Their edges are sharper, and their lines thinner, than those of photographs, which screenshots, scans and comics have
many of. The same random generator draws the same pictures.
"""

from __future__ import annotations

import string
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from restore_cli.training.degradations import log_uniform
from restore_cli.training.photographs import Samples

OVERSAMPLING = 3
"""A picture is drawn so many times larger, and then averaged, so that edges are smooth."""
LAYERS = (1, 5)
"""Things drawn over each other in a picture, at the least and at the most."""
ROTATED = 0.3
"""Share of writing that is turned by any angle."""
PLAIN_INK = 0.5
"""Share of colours that are nearly black or nearly white."""
LETTERS = string.ascii_letters + string.digits + ".,:;!?()+-=%&"

Colour = tuple[int, int, int]
LayerKind = Callable[[int, float, Generator], Image.Image]
"""Makes a mask of what a colour covers: of a side in pixels that are OVERSAMPLING times smaller than the picture's, for
a scale that the picture is to be reduced by."""


def draw_picture(side: int, scale: float, random: Generator) -> Samples:
    """Return a square picture of `side` pixels, in which little is lost altogether when it is reduced by `scale`."""
    canvas = _gradient(side * OVERSAMPLING, random)
    for _ in range(random.integers(*LAYERS, endpoint=True)):
        layer = LAYER_KINDS[random.integers(len(LAYER_KINDS))]
        canvas.paste(_colour(random), mask=layer(canvas.width, scale, random))
    return np.array(canvas.reduce(OVERSAMPLING))


def _gradient(side: int, random: Generator) -> Image.Image:
    """Return a ground that is plain or passes from one colour to another."""
    start, end = (np.array(_colour(random), np.float32) for _ in range(2))
    if random.random() < 0.5:
        end = start
    passed = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    column = (start + (end - start) * passed).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column, (side, side, 3))))


def _colour(random: Generator) -> Colour:
    if random.random() < PLAIN_INK:
        level = int(random.integers(0, 40))
        return (level,) * 3 if random.random() < 0.5 else (255 - level,) * 3
    red, green, blue = (int(level) for level in random.integers(0, 256, 3))
    return red, green, blue


def _writing(side: int, scale: float, random: Generator) -> Image.Image:
    """Return lines of random words in one size, up to 40 pixels, as a mask."""
    size = log_uniform((max(7, 2.5 * scale), 40), random) * OVERSAMPLING
    font = ImageFont.load_default(size)
    bold = round(random.uniform(0, 0.06) * size)
    lines = max(1, min(int(random.integers(1, 30)), int(side / size)))
    letters = random.choice(list(LETTERS + " " * 12), (lines, max(2, round(2 * side / size))))
    text = "\n".join("".join(line) for line in letters)
    mask = Image.new("L", (side, side))
    corner = random.uniform(-0.1, 0.4, 2) * side
    ImageDraw.Draw(mask).text((corner[0], corner[1]), text, 255, font, stroke_width=bold)
    if random.random() < ROTATED:
        mask = mask.rotate(float(random.uniform(-90, 90)), Image.Resampling.BILINEAR)
    return mask


def _strokes(side: int, scale: float, random: Generator) -> Image.Image:
    """Return bent lines, 0.7 to 6 pixels wide, as a mask."""
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    along = np.linspace(0, 1, 24)[:, None]
    for _ in range(random.integers(2, 24)):
        start, bend, end = random.uniform(-0.1, 1.1, (3, 2)) * side
        curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * bend + along**2 * end  # quadratic Bézier
        width = log_uniform((0.7, 6), random) * OVERSAMPLING
        pen.line([(x, y) for x, y in curve.tolist()], 255, max(1, round(width)), joint="curve")
    return mask


def _shapes(side: int, scale: float, random: Generator) -> Image.Image:
    """Return polygons, ellipses and rectangles, filled or as outlines, as a mask."""
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    for _ in range(random.integers(1, 10)):
        middle = random.uniform(0, side, 2)
        half = np.array([log_uniform((0.02, 0.4), random) for _ in range(2)]) * side
        box = (*(middle - half).tolist(), *(middle + half).tolist())
        fill = 255 if random.random() < 0.6 else None
        line = max(1, round(float(random.uniform(0.7, 5)) * OVERSAMPLING))
        match random.integers(3):
            case 0:
                pen.ellipse(box, fill, 255, line)
            case 1:
                pen.rectangle(box, fill, 255, line)
            case _:
                corners = middle + half * random.uniform(-1, 1, (random.integers(3, 7), 2))
                pen.polygon([(x, y) for x, y in corners.tolist()], fill, 255, line)
    return mask


def _screen(side: int, scale: float, random: Generator) -> Image.Image:
    """Return stripes, or dots where two of them cross, within an ellipse or all over, as a mask."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    finest = max(3, 2.2 * scale) * OVERSAMPLING / side
    wave = _wave(x, y, finest, random)
    if random.random() < 0.4:
        wave = np.minimum(wave, _wave(x, y, finest, random))
    middle, half = random.uniform(0, 1, 2), random.uniform(0.15, 1, 2)
    inside = ((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 < 1
    if random.random() < 0.4:
        inside[:] = True
    return Image.fromarray(((wave > random.uniform(-0.6, 0.6)) & inside).astype(np.uint8) * 255)


def _wave(x: NDArray[np.float32], y: NDArray[np.float32], finest: float, random: Generator) -> NDArray[np.float32]:
    """Return a bent wave (-1 to 1) over places `x`, `y` (0 to 1), in any direction, one to seven times the finest."""
    angle, phase, turn = random.uniform(0, 2 * np.pi, 3)
    period = finest * log_uniform((1, 7), random)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.sin(angle) * x - np.cos(angle) * y
    bend = random.uniform(0, 0.3) * np.sin(4 * across + turn)
    wave: NDArray[np.float32] = np.sin(2 * np.pi * (along + bend) / period + phase).astype(np.float32)
    return wave


LAYER_KINDS: tuple[LayerKind, ...] = (_writing, _strokes, _shapes, _screen)
