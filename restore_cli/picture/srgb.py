"""The tone curve of sRGB (IEC 61966-2-1)."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)


def to_linear(encoded: NDArray[Float]) -> NDArray[Float]:
    """Decode sRGB values (0 to 1) to linear light."""
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return light.astype(encoded.dtype, copy=False)


def to_srgb(light: NDArray[Float]) -> NDArray[Float]:
    """Encode linear light (0 to 1) as sRGB."""
    curve = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, curve).astype(light.dtype, copy=False)
