"""The head of most small super-resolution networks: sub-pixel convolution.

Paper: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network, CVPR 2016, arXiv:1609.05158.
"""

from __future__ import annotations

from torch import Tensor, nn


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
