"""A decoded picture and all that must survive with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import PictureError, UsageError
from restore_cli.picture.compression import Compression
from restore_cli.picture.metadata.exif_geometry import WidthHeight
from restore_cli.picture.metadata.texts import Text
from restore_cli.scratch import ArrayStorage

Samples = NDArray[np.unsignedinteger[Any]]
"""Integer samples, uint8 or uint16."""
VISIBLE = 128
"""A difference of half an 8-bit level, in 16-bit levels."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its picture besides the samples; raw blocks as the file held them."""

    icc: bytes | None = None
    """The picture's own ICC profile; None means sRGB, or plain grey."""
    exif: bytes | None = None
    """An EXIF block without JPEG's prefix; it calls the picture upright and holds no thumbnail."""
    xmp: bytes | None = None
    iptc: bytes | None = None
    """IPTC records without the block of Photoshop that holds them in JPEG."""
    pixels_per_mm: tuple[float, float] | None = None
    """Horizontal and vertical resolution; None where the file states none."""
    texts: tuple[Text, ...] = ()
    size: WidthHeight | None = None
    """That of the picture of which the blocks speak; None where nobody knows."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An upright picture in sRGB or grey, ready for a network; equal to itself alone."""

    pixels: Samples
    """h, w, 3 (RGB) or h, w, 1 (grey); the full range of the dtype; sRGB encoded."""
    alpha: Samples | None = None
    """h, w; same dtype as `pixels`; 0 is transparent."""
    beyond_srgb: NDArray[np.int32] | None = None
    """h, w, c; what the samples in the picture's own profile are above those that `pixels` convert back to, as 16-bit
    levels. None where it is too little to change a sample of the file."""
    depth: int = 0
    """Bits per sample of the file, 8 or 16; `pixels` may hold more. By default it is as many as they hold."""
    format: str = "png"
    """Name of the file format it came from."""
    compression: Compression | None = None
    """How the file gave up detail; None where it did not, or nothing is known of it."""
    lossless: bool = False
    """Whether the file was lossless though its format often is not; then that of the result is, too."""
    as_stored: bool = True
    """Whether its file is whole and holds it upright, so that a copy of the file is as good as a new one."""
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    """What was changed or left out on reading, for the user."""
    storage: ArrayStorage = field(default_factory=ArrayStorage, repr=False)
    """Where its arrays lie, and others that are made for it."""

    def __post_init__(self) -> None:
        """Check the arrays, put their bytes in the machine's order, and take the depth from them unless it is given.

        Raises:
            PictureError: they are not what is said of them above.
        """
        object.__setattr__(self, "pixels", _in_native_order(self.pixels))
        if self.alpha is not None:
            object.__setattr__(self, "alpha", _in_native_order(self.alpha))
        pixels, alpha = self.pixels, self.alpha
        if self.depth not in (0, 8, 16):
            raise PictureError(f"a picture has a depth of 8 or 16 bits, not {self.depth!r}")
        if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise PictureError(
                f"pixels of {pixels.dtype} and shape {pixels.shape} are none of uint8 or uint16 and h, w, 1 or 3"
            )
        if not pixels.size:
            raise PictureError(f"pixels of shape {pixels.shape} are no picture: a side is 0")
        if alpha is not None and (alpha.dtype != pixels.dtype or alpha.shape != pixels.shape[:2]):
            raise PictureError(
                f"an alpha of {alpha.dtype} and shape {alpha.shape} does not fit pixels of {pixels.dtype} and shape "
                f"{pixels.shape}"
            )
        beyond = self.beyond_srgb
        if beyond is not None and (beyond.dtype != np.int32 or beyond.shape != pixels.shape):
            raise PictureError(
                f"a beyond_srgb of {beyond.dtype} and shape {beyond.shape} does not fit int32 and pixels of shape "
                f"{pixels.shape}"
            )
        if not self.depth:
            object.__setattr__(self, "depth", 8 * pixels.itemsize)

    @classmethod
    def from_array(cls, array: Samples) -> Picture:
        """Make a picture of h, w (grey), or h, w, c: 1 or 3, or 2 or 4, of which the last is alpha.

        Raises:
            PictureError: it is no such array, or not of uint8 or uint16.
        """
        if isinstance(array, np.ndarray) and array.ndim == 2:
            array = array[..., None]
        if isinstance(array, np.ndarray) and array.ndim == 3 and array.shape[2] in (2, 4):
            return cls(np.ascontiguousarray(array[..., :-1]), np.ascontiguousarray(array[..., -1]))
        return cls(array)

    def to_array(self) -> Samples:
        """Return what `from_array` takes: h, w (grey) or h, w, 3; with alpha, which is the last, h, w, 2 or 4."""
        if self.alpha is not None:
            return np.dstack([self.pixels, self.alpha])
        return self.pixels[..., 0] if self.pixels.shape[2] == 1 else self.pixels

    @property
    def is_opaque(self) -> bool:
        """Whether no pixel is transparent."""
        return self.alpha is None or bool((self.alpha == np.iinfo(self.alpha.dtype).max).all())

    @property
    def exceeds_srgb(self) -> bool:
        """Whether colours lie outside sRGB so far that it can be seen."""
        beyond = self.beyond_srgb
        return beyond is not None and max(int(beyond.max()), -int(beyond.min())) >= VISIBLE

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """Its pixels, and its alpha and `beyond_srgb` where it has them."""
        return [array for array in (self.pixels, self.alpha, self.beyond_srgb) if array is not None]

    def with_each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Picture:
        """Return a picture of arrays that are made of its own, one by one."""
        alpha, beyond = self.alpha, self.beyond_srgb
        return replace(
            self,
            pixels=change(self.pixels),
            alpha=None if alpha is None else change(alpha),
            beyond_srgb=None if beyond is None else change(beyond),
        )

    def band(self, rows: slice) -> Picture:
        """Return the picture of some of its rows, as views."""
        return self.with_each(lambda array: array[rows])


def check_picture(picture: object) -> None:
    """Refuse what is no `Picture`.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(picture, Picture):
        raise UsageError(
            f"a Picture is wanted, not {type(picture).__name__}",
            "read_picture reads one from a file, and Picture.from_array makes one of an array",
        )


def _in_native_order(samples: Samples) -> Samples:
    if not isinstance(samples, np.ndarray):
        raise PictureError(f"samples are an array of NumPy, not a {type(samples).__name__}")
    return samples if samples.dtype.isnative else samples.astype(samples.dtype.newbyteorder("="))
