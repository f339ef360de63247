"""The head of most small super-resolution networks: sub-pixel convolution, perhaps over an interpolated picture.

Paper: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network, CVPR 2016, arXiv:1609.05158.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.fused import add, add_convolution


class PixelShuffle(nn.Module):
    """Turn n, c·scale², h, w into n, c, h·scale, w·scale, as `nn.PixelShuffle` does.

    Written as one copy of a view, which takes half the time on a processor where `x` is `channels_last`.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        cells = x.view(n, c // self.scale**2, self.scale, self.scale, h, w)
        return cells.permute(0, 1, 4, 2, 5, 3).reshape(n, -1, h * self.scale, w * self.scale)


def pixel_shuffle_head(dim: int, scale: int, *, bias: bool = True) -> nn.Sequential:
    """Return a 3x3 convolution and a pixel shuffle that turn n, dim, h, w into n, 3, h·scale, w·scale."""
    return nn.Sequential(nn.Conv2d(dim, 3 * scale**2, 3, padding=1, bias=bias), PixelShuffle(scale))


def enlarge(head: nn.Sequential, features: Tensor, x: Tensor) -> Tensor:
    """Return what `head` makes of `features` (n, dim, h, w), plus `x` (n, 3, h, w float32) interpolated bilinearly.

    `head` is that of `pixel_shuffle_head`; the result is n, 3, h·scale, w·scale float32. The interpolation is a
    convolution, too, so that the sum is taken before the shuffle, on memory that is at hand.
    """
    convolution, shuffle = head
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(shuffle, PixelShuffle)
    kernel = _bilinear_kernel(shuffle.scale).to(x)
    cells = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel)  # n, 3·scale², h, w
    if features.dtype == x.dtype:
        cells = add_convolution(cells, features, convolution.weight, convolution.bias, padding=1)
    else:
        cells = add(cells, convolution(features))
    enlarged: Tensor = shuffle(cells)
    return enlarged


def _bilinear_kernel(scale: int) -> Tensor:
    """Return the weights (3·scale², 3, 3, 3) that interpolate bilinearly, in the order of a pixel shuffle.

    Corners are not aligned: a pixel is a square, and values lie at its centre. Around the picture its border is
    repeated.
    """
    places = (torch.arange(scale) + 0.5) / scale - 0.5  # from a pixel's centre, in pixels
    taps = torch.stack([(-places).clamp(min=0), 1 - places.abs(), places.clamp(min=0)], dim=1)  # scale, 3
    square = torch.einsum("ay,bx->abyx", taps, taps).flatten(0, 1)  # scale², 3, 3
    kernel = torch.einsum("cd,oyx->codyx", torch.eye(3), square)  # 3, scale², 3, 3, 3
    return kernel.flatten(0, 1)
