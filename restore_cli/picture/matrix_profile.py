"""ICC profiles of a tone curve per channel and one matrix, as cameras, telephones and screens have them.

They are computed here, in floating point: lcms, on which libvips relies, resamples such a profile to a coarse table
when it goes straight from 16 to 16 bits, and is eight times slower where it does not (ICC.1:2022, annex F.3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from restore_cli.picture.picture import Samples
from restore_cli.picture.srgb import to_linear
from restore_cli.scratch import few_rows_each

LEVELS = 65_536
SRGB_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to CIE XYZ, adapted to D50."""
SPACES = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
HEADER_BYTES = 128
TABLES = (b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"D2B0", b"D2B1", b"D2B2", b"D2B3")
"""Tags of profiles that rest on tables; a matrix is only their second choice."""
PARAMETERS = (1, 3, 4, 5, 7)
"""Number of parameters by the type of a parametric curve."""


@dataclass(frozen=True, slots=True, eq=False)
class MatrixProfile:
    """A profile of curves and a matrix, set against sRGB."""

    to_linear: NDArray[np.float32]
    """c, 65536; linear light, 0 to 1, of each level."""
    from_root: NDArray[np.uint16]
    """c, 65536; the level of a linear light whose square root, 0 to 1, is cut into so many steps."""
    matrix: NDArray[np.float32]
    """c, c; linear light in this profile to linear light in sRGB; white stays white."""


@lru_cache(maxsize=4)
def read_matrix_profile(profile: bytes) -> MatrixProfile | None:
    """Return the curves and the matrix of an ICC profile; None if it is of another kind or cannot be turned round.

    Raises:
        ValueError: the profile is damaged.
    """
    channels = channels_of(profile)
    if channels is None:
        raise ValueError("no ICC profile")
    try:
        tags = _tags(profile)
        if channels == 4 or profile[20:24] != b"XYZ " or any(table in tags for table in TABLES):
            return None
        with np.errstate(all="ignore"):
            curves, matrix = _curves_and_matrix(tags, channels)
    except (KeyError, IndexError, struct.error, np.linalg.LinAlgError, ZeroDivisionError) as error:
        raise ValueError("a damaged ICC profile") from error
    rising = all(np.isfinite(curve).all() and np.all(np.diff(curve) >= 0) and curve[-1] > 0 for curve in curves)
    return _profile(curves, matrix) if rising and np.isfinite(matrix).all() else None


def channels_of(profile: bytes) -> int | None:
    """Return for how many channels a profile is made; None if it is cut, or its header damaged or of another kind."""
    if not HEADER_BYTES < int.from_bytes(profile[:4], "big") <= len(profile) or profile[36:40] != b"acsp":
        return None
    return SPACES.get(profile[16:20])


def convert(samples: Samples, source: MatrixProfile, target: MatrixProfile) -> NDArray[np.uint16]:
    """Convert 16-bit samples (h, w, c) between two profiles of c channels; what `target` cannot hold is clipped."""
    matrix = (np.linalg.inv(target.matrix.astype(np.float64)) @ source.matrix).astype(np.float32)
    converted = np.empty(samples.shape, np.uint16)
    for rows in few_rows_each(len(samples)):
        band = samples[rows]
        light = np.stack([curve[band[..., c]] for c, curve in enumerate(source.to_linear)], axis=2)
        light = light @ matrix.T  # h, w, c
        steps = (np.sqrt(light.clip(0, 1, out=light), out=light) * np.float32(LEVELS - 1) + np.float32(0.5)).astype(
            np.uint16
        )
        for c, curve in enumerate(target.from_root):
            converted[rows, :, c] = curve[steps[..., c]]
    return converted


@lru_cache(maxsize=2)
def srgb_profile(channels: int) -> MatrixProfile:
    """Return sRGB itself, or its tone curve for one channel (IEC 61966-2-1)."""
    return _profile([to_linear(np.linspace(0, 1, LEVELS))] * channels, np.eye(channels))


def _curves_and_matrix(
    tags: dict[bytes, bytes], channels: int
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    if channels == 1:
        return [_curve(tags[b"kTRC"])], np.eye(1)
    colours = (b"r", b"g", b"b")
    matrix = np.linalg.solve(SRGB_TO_XYZ, np.stack([_fixed(tags[name + b"XYZ"], 8, 3) for name in colours], axis=1))
    np.linalg.inv(matrix)  # raises where it cannot be turned round
    return [_curve(tags[name + b"TRC"]) for name in colours], matrix / matrix.sum(axis=1, keepdims=True)


def _profile(curves: list[NDArray[np.float64]], matrix: NDArray[np.float64]) -> MatrixProfile:
    levels = np.arange(LEVELS)
    light = (levels / (LEVELS - 1)) ** 2
    turned = np.stack([np.rint(np.interp(light, curve, levels)) for curve in curves])
    return MatrixProfile(np.stack(curves).astype(np.float32), turned.astype(np.uint16), matrix.astype(np.float32))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Return the contents of a profile's tags by their signature."""
    (count,) = struct.unpack_from(">I", profile, HEADER_BYTES)
    tags = {}
    for index in range(min(count, 100)):
        at = HEADER_BYTES + 4 + 12 * index
        signature, start, size = struct.unpack_from(">4sII", profile, at)
        tags[signature] = profile[start : start + size]
    return tags


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Return the linear light, 65536 values from 0 to 1, of a curve of type `curv` or `para`."""
    levels = np.linspace(0, 1, LEVELS)
    if tag[:4] == b"para":
        return _parametric(levels, struct.unpack_from(">H", tag, 8)[0], tag)
    (count,) = struct.unpack_from(">I", tag, 8)
    if tag[:4] != b"curv" or 12 + 2 * count > len(tag):
        raise IndexError
    if count == 0:
        return levels
    points = np.frombuffer(tag, ">u2", count, 12)
    if count == 1:
        return np.power(levels, float(points[0]) / 256)
    return np.interp(levels, np.linspace(0, 1, count), points / 65_535)


def _parametric(levels: NDArray[np.float64], kind: int, tag: bytes) -> NDArray[np.float64]:
    """Evaluate a parametric curve (ICC.1:2022, section 10.18)."""
    gamma, *rest = _fixed(tag, 12, PARAMETERS[kind])
    a, b, c, d, e, f = [*rest, *[0.0] * (6 - len(rest))] if kind else [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    if kind in (1, 2):
        d, e, f, c = -b / a, c, c, 0.0
    power = np.maximum(a * levels + b, 0) ** gamma + e
    curve: NDArray[np.float64] = np.where(levels >= d, power, c * levels + f).clip(0, 1)
    return curve


def _fixed(tag: bytes, at: int, count: int) -> list[float]:
    return [number / 65_536 for number in struct.unpack_from(f">{count}i", tag, at)]
