"""Spatially-adaptive feature modulation and the convolutional channel mixer, the two halves of a SAFMN block.

Paper: Sun et al., Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution, ICCV 2023,
arXiv:2302.13800. Original code: https://github.com/sunny2109/SAFMN (Apache-2.0). Parameter names are the published
ones. Different here: on the grid the pyramid is pooled level by level and stretched once, and the plain kernel pools,
which keeps no indices; activations and skips are part of the operations before them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.fused import add_mixture, convolve


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
    """Modulate features by a depthwise-filtered pyramid of themselves, and add them to a skip.

    Both inputs and the output: n, dim, h, w. The channels fall into one group per entry of `factors`; group i is
    max-pooled by factors[i], filtered, and repeated back to h, w. The paper pools by 1, 2, 4, 8, the challenge form by
    1, 4, 8, 16.
    """

    def __init__(self, dim: int, *, factors: Sequence[int] = (1, 2, 4, 8), bias: bool = True) -> None:
        super().__init__()
        group, rest = divmod(dim, len(factors))
        if rest:
            raise ValueError(f"{dim} channels cannot be parted into {len(factors)} groups")
        self.factors = tuple(factors)
        self.mfr = nn.ModuleList(nn.Conv2d(group, group, 3, padding=1, groups=group, bias=bias) for _ in factors)
        self.aggr = nn.Conv2d(dim, dim, 1, bias=bias)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        coarsest = self.factors[-1]
        pyramid = self._pyramid(x) if h % coarsest == w % coarsest == 0 else self._stretched_pyramid(x)
        gate = convolve(pyramid, self.aggr, self.gelu)
        del pyramid
        overwrites = not torch.is_grad_enabled() and gate.dtype == skip.dtype == x.dtype  # autocast mixes them
        return torch.addcmul(skip, gate, x, out=gate if overwrites else None)

    def _pyramid(self, x: Tensor) -> Tensor:
        """Return the filtered levels of `x`, whose sides are multiples of every factor: n, dim, h, w."""
        fine, *mfrs = self.mfr
        step = self.factors[1]
        place, *pooled = F.max_pool2d(x, step).chunk(len(self.factors), dim=1)  # n, dim / groups, h / step, w / step
        levels = [place]  # which the finest level takes in the end, so that it need not be joined to the others
        for group, factor, mfr in zip(pooled, self.factors[1:], mfrs, strict=True):
            level = mfr(F.max_pool2d(group, factor // step))
            levels.append(F.interpolate(level, scale_factor=factor // step, mode="nearest"))
        pyramid = F.interpolate(torch.cat(levels, dim=1), scale_factor=step, mode="nearest")
        finest = slice(0, place.shape[1])
        pyramid[:, finest] = fine(x[:, finest])
        return pyramid

    def _stretched_pyramid(self, x: Tensor) -> Tensor:
        """Return what the published code makes of sides off the grid, with cells that stretch and overlap."""
        size = x.shape[-2:]
        levels = []
        for group, factor, mfr in zip(x.chunk(len(self.factors), dim=1), self.factors, self.mfr, strict=True):
            levels.append(F.interpolate(mfr(pool_by(group, factor)), size=size, mode="nearest"))
        return torch.cat(levels, dim=1)


class CCM(nn.Module):
    """Mix channels, and add them to a skip: a 3x3 convolution to `hidden` channels, GELU, a 1x1 convolution back.

    Both inputs and the output: n, dim, h, w. The skip is overwritten, except in training.
    """

    def __init__(self, dim: int, hidden: int, *, bias: bool = True) -> None:
        super().__init__()
        self.ccm = nn.Sequential(
            nn.Conv2d(dim, hidden, 3, padding=1, bias=bias), nn.GELU(), nn.Conv2d(hidden, dim, 1, bias=bias)
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        widen, gelu, narrow = self.ccm
        assert isinstance(widen, nn.Conv2d)
        assert isinstance(gelu, nn.GELU)
        assert isinstance(narrow, nn.Conv2d)
        return add_mixture(skip, x, widen, gelu, narrow)
