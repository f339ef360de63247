"""Spatially-adaptive feature modulation and the convolutional channel mixer, the two halves of a SAFMN block.

Paper: Sun et al., Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution, ICCV 2023,
arXiv:2302.13800. Original code: https://github.com/sunny2109/SAFMN (Apache-2.0). Parameter names are the published
ones. Different here: pooling on the grid uses the plain kernel, which keeps no indices.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pool_by(x: Tensor, factor: int) -> Tensor:
    """Max-pool `x` (n, c, h, w) to h // factor, w // factor cells; off the grid the cells stretch and overlap.

    Raises:
        ValueError: a side is shorter than `factor`, so no cell would be left.
    """
    h, w = x.shape[-2:]
    if h % factor == 0 and w % factor == 0:
        return F.max_pool2d(x, factor)
    if min(h, w) < factor:
        raise ValueError(f"{h}x{w} features are smaller than one pooling cell of {factor}")
    return F.adaptive_max_pool2d(x, (h // factor, w // factor))


class SAFM(nn.Module):
    """Modulate features by a depthwise-filtered pyramid of themselves.

    Input and output: n, dim, h, w. The channels fall into one group per entry of `factors`; group i is max-pooled by
    factors[i], filtered, and repeated back to h, w. The paper pools by 1, 2, 4, 8, the challenge form by 1, 4, 8, 16.
    """

    def __init__(self, dim: int, *, factors: Sequence[int] = (1, 2, 4, 8), bias: bool = True) -> None:
        super().__init__()
        group = dim // len(factors)
        self.factors = tuple(factors)
        self.mfr = nn.ModuleList(nn.Conv2d(group, group, 3, padding=1, groups=group, bias=bias) for _ in factors)
        self.aggr = nn.Conv2d(dim, dim, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        levels = []
        for group, factor, mfr in zip(x.chunk(len(self.factors), dim=1), self.factors, self.mfr, strict=True):
            if factor == 1:
                levels.append(mfr(group))
            else:
                levels.append(F.interpolate(mfr(pool_by(group, factor)), size=size, mode="nearest"))
        return F.gelu(self.aggr(torch.cat(levels, dim=1))) * x


class CCM(nn.Module):
    """Mix channels: a 3x3 convolution to `hidden` channels, GELU, a 1x1 convolution back. n, dim, h, w both ways."""

    def __init__(self, dim: int, hidden: int, *, bias: bool = True) -> None:
        super().__init__()
        self.ccm = nn.Sequential(
            nn.Conv2d(dim, hidden, 3, padding=1, bias=bias), nn.GELU(), nn.Conv2d(hidden, dim, 1, bias=bias)
        )

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.ccm(x)
        return mixed
