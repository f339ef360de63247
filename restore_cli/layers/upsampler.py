"""The head of most small super-resolution networks: sub-pixel convolution.

Paper: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network, CVPR 2016, arXiv:1609.05158.
"""

from __future__ import annotations

from torch import nn


def pixel_shuffle_head(dim: int, scale: int, *, bias: bool = True) -> nn.Sequential:
    """Return a 3x3 convolution and a pixel shuffle that turn n, dim, h, w into n, 3, h·scale, w·scale."""
    return nn.Sequential(nn.Conv2d(dim, 3 * scale**2, 3, padding=1, bias=bias), nn.PixelShuffle(scale))
