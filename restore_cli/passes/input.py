"""What comes from outside: checked before a network sees it, and looked at again where the result is not finite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from restore_cli.errors import NotFiniteError, PictureError, UsageError


def as_picture(picture: Tensor) -> Tensor:
    """Return a picture (3, h, w, floats from 0 to 1) as float32 on the host; itself if it is that already.

    Raises:
        PictureError: it is no tensor of floats, or of another shape.
    """
    if not isinstance(picture, Tensor):
        raise PictureError(
            f"a picture for a network is a tensor of shape 3, h, w, not a {type(picture).__name__}",
            "an Upscaler or another task takes a Picture",
        )
    if picture.ndim != 3 or picture.shape[0] != 3 or not picture.numel():
        raise PictureError(f"a tensor of shape {tuple(picture.shape)} is no picture of shape 3, h, w")
    if not picture.is_floating_point():
        raise PictureError(f"a tensor of {picture.dtype} is none of floats from 0 to 1", "divide 8-bit samples by 255")
    return picture.to("cpu", torch.float32)


def check_size(picture: Tensor, size: tuple[int, int] | None, scale: int) -> None:
    """Check that a network that enlarges by `scale` alone makes `size`, height and width, of `picture` (3, h, w).

    Raises:
        UsageError: it makes another.
    """
    height, width = (scale * length for length in picture.shape[1:])
    if size is not None and tuple(size) != (height, width):
        raise UsageError(f"a network for x{scale} makes {width}x{height} of this picture, not {size[1]}x{size[0]}")


@contextmanager
def blaming(picture: Tensor) -> Iterator[None]:
    """Say of a result that is not finite that it comes from `picture`, if it does.

    Raises:
        NotFiniteError: as was raised, with other words where the picture is not finite.
    """
    try:
        yield
    except NotFiniteError as error:
        if picture.isfinite().all():
            raise
        raise NotFiniteError("the picture holds NaN or infinite values") from error
