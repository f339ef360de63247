"""How near a restored picture comes to a reference: PSNR and SSIM, as papers on super-resolution measure them.

SSIM is that of Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 2004,
with its Gaussian window of 11 pixels, sigma 1.5, where the window lies wholly inside the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import PictureError, UsageError

Channel = Literal["y", "rgb"]
Values = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.bool_)

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
"""Shares of red, green and blue in BT.601 luma in its studio range, which begins at 16."""
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


@dataclass(frozen=True, slots=True)
class Score:
    """Nearness of one picture to its reference."""

    psnr: float
    """Decibels; infinite for equal pictures."""
    ssim: float
    """At most 1, for equal pictures."""


def compare(
    restored: NDArray[Any],
    reference: NDArray[Any],
    *,
    channel: Channel = "y",
    border: int = 0,
    hidden: NDArray[np.bool_] | None = None,
) -> Score:
    """Compare integer samples (h, w, 1 or 3; any depth) after cutting `border` pixels off every side.

    Pixels that are `hidden` (h, w) do not count for the PSNR, and have the reference's colour for the SSIM.
    `y` compares BT.601 luma in its studio range, 16 to 235, and does not round it, as BasicSR does not; MATLAB's
    rgb2ycbcr rounds that of 8-bit samples. `rgb` compares all channels.

    Raises:
        PictureError: sizes differ.
        UsageError: the border or the SSIM window leaves nothing.
    """
    if restored.shape[:2] != reference.shape[:2]:
        sizes = " and ".join(f"{array.shape[1]}x{array.shape[0]}" for array in (restored, reference))
        raise PictureError(f"the pictures have different sizes: {sizes}", "compare pictures of one size")
    a, b = (_cut(_planes(samples, channel), border) for samples in (restored, reference))
    if a.shape[2] != b.shape[2]:
        a, b = (np.broadcast_to(planes, (*planes.shape[:2], 3)) for planes in (a, b))
    if min(a.shape[:2]) < SSIM_WINDOW:
        raise UsageError(f"fewer than {SSIM_WINDOW} pixels a side are left to compare", "use a smaller --border")
    visible = np.ones(a.shape[:2], np.bool_) if hidden is None else ~_cut(hidden, border)
    a = np.where(visible[..., None], a, b)
    error = float(np.sum((a - b) ** 2)) / (a.shape[2] * max(int(visible.sum()), 1))
    psnr = math.inf if error == 0 else 10 * math.log10(255**2 / error)
    return Score(psnr, float(np.mean([_ssim(a[..., i], b[..., i]) for i in range(a.shape[2])])))


def alphas_differ(restored: NDArray[Any] | None, reference: NDArray[Any] | None, *, border: int = 0) -> bool:
    """Tell whether alphas (h, w; integers of any depth; None is opaque) differ inside `border`, beyond rounding."""
    a, b = (255.0 if alpha is None else _alpha_levels(alpha, border) for alpha in (restored, reference))
    is_rounded = restored is not None and reference is not None and restored.dtype != reference.dtype
    return bool(np.any(np.abs(a - b) > (0.5 if is_rounded else 0)))


def hidden_in_both(
    restored: NDArray[Any] | None, reference: NDArray[Any] | None, *, border: int = 0
) -> NDArray[np.bool_] | None:
    """Return where alphas (h, w; None is opaque) are both 0; None if that is nowhere inside `border`."""
    if restored is None or reference is None or restored.shape != reference.shape:
        return None
    hidden: NDArray[np.bool_] = (restored == 0) & (reference == 0)
    return hidden if _cut(hidden, border).any() else None


def _alpha_levels(alpha: NDArray[Any], border: int) -> Values:
    values: Values = alpha.astype(np.float64) * 255 / np.iinfo(alpha.dtype).max
    return _cut(values, border)


def _planes(samples: NDArray[Any], channel: Channel) -> Values:
    values: Values = samples.astype(np.float64) * 255 / np.iinfo(samples.dtype).max  # in this order 257 becomes 1
    if channel == "rgb":
        return values
    if values.shape[2] == 1:  # so that grey is rounded as the same grey in three channels
        values = values.repeat(3, axis=2)
    luma: Values = 16 + values @ np.array(LUMA)[:, None]
    return luma


def _cut(planes: NDArray[Number], border: int) -> NDArray[Number]:
    return planes[border : planes.shape[0] - border, border : planes.shape[1] - border]


def _ssim(a: Values, b: Values) -> float:
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float(np.mean(likeness / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))))


def _blur(plane: Values) -> Values:
    """Filter h, w with the window, down and across; only where it lies inside."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    weights /= weights.sum()
    rows = plane.shape[0] - SSIM_WINDOW + 1
    columns = plane.shape[1] - SSIM_WINDOW + 1
    down: Values = sum(weight * plane[i : i + rows] for i, weight in enumerate(weights))
    across: Values = sum(weight * down[:, i : i + columns] for i, weight in enumerate(weights))
    return across
