"""How dense the pixels of a picture lie, as files state it: so many to a unit across and down."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

INCH = 25.4
"""Millimetres."""
NEARLY = 0.0127
"""How far whole numbers per inch are off in a file that counts whole numbers per metre: half of one of these."""
LARGEST = 0xFFFF_FFFF
"""A rational is two numbers that are no larger."""


class Density(NamedTuple):
    """What a file says of the size of its pixels, or at least of their shape."""

    pixels_per_mm: tuple[float, float] | None = None
    """Across and down; None where pixels have no size."""
    is_oblong: bool = False
    """Whether they have none, but a shape that is not square."""


def density(across: float | Fraction, down: float | Fraction, millimetres: float | None) -> Density:
    """Return what is meant by so many pixels to a unit of `millimetres`, which is None where it is not known."""
    if min(across, down) <= 0:
        return Density()
    if millimetres is None:
        return Density(is_oblong=across != down)
    return Density((float(across / millimetres), float(down / millimetres)))


def per_inch(pixels_per_mm: float) -> Fraction:
    """Return a density as a rational of EXIF: pixels per inch, a whole number where it nearly is one."""
    exact = pixels_per_mm * INCH
    whole = Fraction(min(round(exact), LARGEST))
    number = Fraction(exact).limit_denominator(1000)
    return whole if abs(exact - whole) <= NEARLY or number.numerator > LARGEST else number
