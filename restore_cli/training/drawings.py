"""Pictures drawn by chance: writing, strokes, shapes and textures.

Their edges are sharper, and their lines thinner, than those of photographs, which screenshots, scans and comics have
many of. The same random generator draws the same pictures, as long as Matplotlib brings the same fonts.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from restore_cli.training.degradations import log_uniform
from restore_cli.training.photographs import Samples
from restore_cli.training.textures import OVERSAMPLING, cloth, grain, screen

LAYERS = (0, 5)
"""Things drawn over each other on a ground, at the least and at the most."""
ROTATED = 0.3
"""Share of writing that is turned by any angle."""
SQUEEZED = 0.4
"""Share of writing that is narrower or wider than its typeface."""
PLAIN_INK, MUTED_INK, PURE_INK = 0.4, 0.3, 0.1
"""Shares of colours that are nearly black or nearly white, nearly grey, and as strong as a screen can show them."""
MUTED = 30
"""Levels by which the channels of a nearly grey colour differ from the grey, at the most."""
TYPEFACES = ("DejaVuSans[-.]*", "DejaVuSansMono*", "DejaVuSerif[-.]*", "STIXGeneral*", "cm[rst][1st]*")
"""Patterns of Matplotlib's font files that are written in: with and without serifs, bold, slanted, typewriter."""
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
    kind = random.random()
    if kind < PLAIN_INK:
        level = int(random.integers(0, 40))
        return (level,) * 3 if random.random() < 0.5 else (255 - level,) * 3
    levels = random.integers(0, 256, 3)
    if kind < PLAIN_INK + MUTED_INK:
        levels = np.clip(levels[0] + random.integers(-MUTED, MUTED, 3, endpoint=True), 0, 255)
    elif kind < PLAIN_INK + MUTED_INK + PURE_INK:
        levels = 255 * random.integers(0, 2, 3)
    red, green, blue = (int(level) for level in levels)
    return red, green, blue


def _writing(side: int, scale: float, random: Generator) -> Image.Image:
    """Return lines of random words in one typeface and size, up to 40 pixels, as a mask."""
    size = log_uniform((max(7, 2.5 * scale), 40), random) * OVERSAMPLING
    faces = typefaces()
    font = ImageFont.truetype(faces[random.integers(len(faces))], size) if faces else ImageFont.load_default(size)
    bold = round(random.uniform(0, 0.06) * size)
    lines = max(1, min(int(random.integers(1, 30)), int(side / size)))
    letters = random.choice(list(LETTERS + " " * 12), (lines, max(2, round(2 * side / size))))
    text = "\n".join("".join(line) for line in letters)
    mask = Image.new("L", (side, side))
    corner = random.uniform(-0.1, 0.4, 2) * side
    ImageDraw.Draw(mask).text((corner[0], corner[1]), text, 255, font, stroke_width=bold)
    if random.random() < SQUEEZED:
        share = log_uniform((0.6, 1.4), random)
        mask = mask.transform(mask.size, Image.Transform.AFFINE, (1 / share, 0, 0, 0, 1, 0), Image.Resampling.BILINEAR)
    if random.random() < ROTATED:
        mask = mask.rotate(float(random.uniform(-90, 90)), Image.Resampling.BILINEAR)
    return mask


@lru_cache
def typefaces() -> list[Path]:
    """Return the files of the fonts that come with Matplotlib and hold letters; some systems leave them out."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return [path for pattern in TYPEFACES for path in sorted(folder.glob(pattern))]


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


LAYER_KINDS: tuple[LayerKind, ...] = (_writing, _strokes, _shapes, screen, cloth, grain)
