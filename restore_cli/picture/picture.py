"""A decoded picture and all that must survive with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.unsignedinteger[Any]]
"""Integer samples, uint8 or uint16."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its picture besides the samples; raw blocks as the file held them."""

    icc: bytes | None = None
    """The picture's own ICC profile; None means sRGB, or plain grey."""
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    pixels_per_mm: tuple[float, float] = (1.0, 1.0)
    """Horizontal and vertical resolution."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture in sRGB or grey, ready for a network."""

    pixels: Samples
    """h, w, 3 (RGB) or h, w, 1 (grey); the full range of the dtype; sRGB encoded."""
    alpha: Samples | None = None
    """h, w; same dtype as `pixels`; 0 is transparent."""
    beyond_srgb: NDArray[np.int32] | None = None
    """h, w, c; what the samples in the picture's own profile are above those that `pixels` convert back to, as 16-bit
    levels. None where sRGB holds all colours of the picture."""
    depth: int = 8
    """Bits per sample of the file, 8 or 16; `pixels` may hold more."""
    format: str = "png"
    """Name of the file format it came from."""
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    """What was changed or left out on reading, for the user."""

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])


def to_unit(samples: Samples) -> NDArray[np.float32]:
    """Convert integer samples to float32, 0 to 1."""
    return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)


def to_samples(values: NDArray[np.float32], depth: int) -> Samples:
    """Round float values, nominally 0 to 1, to integers of `depth` bits (8 or 16); values outside are clipped."""
    dtype = np.uint8 if depth == 8 else np.uint16
    scaled = np.clip(values, 0, 1) * np.float32(np.iinfo(dtype).max)
    samples: Samples = np.rint(scaled, out=scaled).astype(dtype)
    return samples
