"""The head of most small super-resolution networks: sub-pixel convolution, perhaps over an interpolated picture.

Paper: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network, CVPR 2016, arXiv:1609.05158.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.fused import add, add_convolution
from restore_cli.layers.hardware import is_on_host_without_gradient
from restore_cli.layers.rows import divide_rows

BAND_PIXELS = 1 << 16
"""Input pixels whose cells are made at a time on a processor, in some 12 MB at x4."""


class PixelShuffle(nn.Module):
    """Turn n, c·scale², h, w into n, c, h·scale, w·scale, as `nn.PixelShuffle` does.

    Written as one copy of a view, which takes half the time on a processor where `x` is `channels_last`.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        return self.spread(x).reshape(n, -1, h * self.scale, w * self.scale)

    def spread(self, x: Tensor) -> Tensor:
        """Return a view in which the values of `x` lie in the order of the result: n, c, h, scale, w, scale."""
        n, c, h, w = x.shape
        return x.view(n, c // self.scale**2, self.scale, self.scale, h, w).permute(0, 1, 4, 2, 5, 3)


def pixel_shuffle_head(dim: int, scale: int, *, bias: bool = True) -> nn.Sequential:
    """Return a 3x3 convolution and a pixel shuffle that turn n, dim, h, w into n, 3, h·scale, w·scale."""
    return nn.Sequential(nn.Conv2d(dim, 3 * scale**2, 3, padding=1, bias=bias), PixelShuffle(scale))


def draw(head: nn.Sequential, x: Tensor, make_cells: Callable[[slice], Tensor]) -> Tensor:
    """Return the picture whose cells `make_cells` makes: n, 3, h·scale, w·scale float32, for an input `x` (n, 3, h, w).

    `head` is that of `pixel_shuffle_head`. Cells are n, 3·scale², rows, w for a slice of the input's rows, and each may
    depend on its neighbours. On a processor they are made some rows at a time: together they take as much memory as the
    picture.
    """
    shuffle = head[1]
    assert isinstance(shuffle, PixelShuffle)
    n, _, h, w = x.shape
    if not is_on_host_without_gradient(x):
        whole: Tensor = shuffle(make_cells(slice(0, h)))
        return whole
    scale = shuffle.scale
    picture = x.new_empty(n, 3, h, scale, w, scale)
    for rows in divide_rows(h, w, BAND_PIXELS):
        picture[:, :, rows.own] = shuffle.spread(rows.crop(make_cells(rows.around)))
    return picture.view(n, 3, h * scale, w * scale)


def enlarge_sum(head: nn.Sequential, deep: Tensor, skip: Tensor, x: Tensor) -> Tensor:
    """Return what `head` makes in float32 of `deep` plus `skip` (n, dim, h, w each), for an input `x` (n, 3, h, w).

    `head` is that of `pixel_shuffle_head`; the result is n, 3, h·scale, w·scale.
    """
    return draw(head, x, lambda rows: head[0]((deep[:, :, rows] + skip[:, :, rows]).float()))


def enlarge(head: nn.Sequential, features: Tensor, x: Tensor) -> Tensor:
    """Return what `head` makes of `features` (n, dim, h, w), plus `x` (n, 3, h, w float32) interpolated bilinearly.

    `head` is that of `pixel_shuffle_head`; the result is n, 3, h·scale, w·scale float32. The interpolation is a
    convolution, too, so that the sum is taken before the shuffle, on memory that is at hand.
    """
    convolution, shuffle = head
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(shuffle, PixelShuffle)
    kernel = _bilinear_kernel(shuffle.scale, x)
    bordered = F.pad(x, (1, 1, 1, 1), mode="replicate")

    def make_cells(rows: slice) -> Tensor:
        cells = F.conv2d(bordered[:, :, rows.start : rows.stop + 2], kernel)  # n, 3·scale², rows, w
        if features.dtype == x.dtype:
            return add_convolution(cells, features[:, :, rows], convolution.weight, convolution.bias, padding=1)
        return add(cells, convolution(features[:, :, rows]).to(x.dtype))  # a sum of two dtypes takes ten times as long

    return draw(head, x, make_cells)


def _bilinear_kernel(scale: int, x: Tensor) -> Tensor:
    """Return the weights (3·scale², 3, 3, 3) that interpolate `x` bilinearly, in the order of a pixel shuffle.

    Corners are not aligned: a pixel is a square, and values lie at its centre. Around the picture its border is
    repeated. They are made where `x` lies: nothing may be copied from the host into a recording.
    """
    fractions = (torch.arange(scale, dtype=x.dtype, device=x.device) + 0.5) / scale
    places = fractions - 0.5  # from a pixel's centre, in pixels
    taps = torch.stack([(-places).clamp(min=0), 1 - places.abs(), places.clamp(min=0)], dim=1)  # scale, 3
    square = torch.einsum("ay,bx->abyx", taps, taps).flatten(0, 1)  # scale², 3, 3
    same = torch.eye(3, dtype=x.dtype, device=x.device)
    kernel = torch.einsum("cd,oyx->codyx", same, square)  # 3, scale², 3, 3, 3
    return kernel.flatten(0, 1)
