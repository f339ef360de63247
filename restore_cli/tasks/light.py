"""Light as it adds up: linear values, luminance, and mixing two renderings of one picture."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import UsageError
from restore_cli.picture.picture import Samples
from restore_cli.picture.srgb import to_linear, to_srgb
from restore_cli.scratch import few_rows_each
from restore_cli.tasks.resampling import Planes

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue in the luminance of sRGB (IEC 61966-2-1)."""


def luminance(light: Planes) -> NDArray[np.float32]:
    """Return the luminance (h, w) of linear light (h, w, 1 or 3)."""
    weighed: NDArray[np.float32] = light[..., 0] if light.shape[2] == 1 else light @ LUMINANCE
    return weighed


def mean_luminance(planes: Planes, alpha: Samples | None = None) -> float:
    """Return the mean luminance of sRGB planes (h, w, c), 0 to 1; pixels count by `alpha` (h, w), where any shows."""
    cover = np.broadcast_to(np.uint8(1), planes.shape[:2]) if alpha is None or not alpha.any() else alpha
    total = 0.0
    for rows in few_rows_each(len(planes)):
        total += float((luminance(to_linear(planes[rows])) * cover[rows]).sum(dtype=np.float64))
    return total / float(cover.sum(dtype=np.float64))


def check_strength(strength: float) -> None:
    """Check that `strength` is a share.

    Raises:
        UsageError: it is none from 0 to 1.
    """
    if not isinstance(strength, Real) or not 0 <= strength <= 1:
        raise UsageError(f"a strength is from 0 to 1, not {strength!r}")


def mix(plain: Planes, restored: Planes, strength: float) -> Planes:
    """Mix two sRGB pictures in linear light, with the share `strength` of `restored`."""
    mixed = np.empty_like(plain)
    for rows in few_rows_each(len(plain)):
        light = to_linear(plain[rows]) * (1 - strength) + to_linear(restored[rows].clip(0, 1)) * strength
        mixed[rows] = to_srgb(light)
    return mixed


def highlight_of(planes: Planes) -> float:
    """Return the luminance that all but 0.5 % of sRGB planes stay below; of a sample of the pixels."""
    step = max(1, int((planes.shape[0] * planes.shape[1] / 1e6) ** 0.5))
    return float(np.quantile(luminance(to_linear(planes[::step, ::step])), 0.995))


def keep_highlights(plain: Planes, restored: Planes, headroom: float) -> Planes:
    """Keep differences between bright parts of `plain` that are all white in `restored`; sRGB, h, w, c.

    The brighter the result, the more of it, `headroom` (0 to 1) at the most, follows the luminance of `plain` relative
    to its highlights. Brightness keeps its order, since the share never falls as the result grows.
    """
    kept, brightest = np.empty_like(restored), max(highlight_of(plain), 1e-6)
    for rows in few_rows_each(len(plain)):
        light = to_linear(restored[rows].clip(0, 1))
        relative = (luminance(to_linear(plain[rows])) / brightest).clip(0, 1)[..., None]
        bright = _smooth_step((luminance(light)[..., None] - 0.5) / 0.5)
        kept[rows] = to_srgb(light * (1 - headroom * bright * (1 - relative)))
    return kept


def _smooth_step(x: NDArray[Any]) -> NDArray[Any]:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    x = x.clip(0, 1)
    risen: NDArray[Any] = x * x * (3 - 2 * x)
    return risen
