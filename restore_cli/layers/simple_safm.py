"""The simplified feature modulation of SAFMN++: one pooled level, a single gate.

Source: https://github.com/sunny2109/SAFMN, folders NTIRE2024_ESR and AIS2024-RTSR (Apache-2.0); parameter names are
the published ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.safm import pool_by

POOLING = 8
"""Side of a pooling cell in pixels; a tile must start and end on this grid."""
RECEPTIVE_FIELD = 3 * POOLING
"""Pixels around a pixel that the block sees: two cells on (filter and interpolation), to the far edge, and a 3x3."""


class SimpleSAFM(nn.Module):
    """Gate the first `gated` channels by a pooled, depthwise-filtered copy of themselves; mix all. n, dim, h, w."""

    def __init__(self, dim: int, gated: int) -> None:
        super().__init__()
        self.split = [gated, dim - gated]
        self.proj = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.dwconv = nn.Conv2d(gated, gated, 3, padding=1, groups=gated, bias=False)
        self.out = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.proj(x)
        gated, plain = torch.split(projected, self.split, dim=1)
        pooled = pool_by(projected, POOLING)[:, : self.split[0]]  # pooling a part of the channels would copy it first
        cells = self.dwconv(pooled).to(torch.promote_types(x.dtype, torch.float32))  # stretched fastest like this
        stretched = F.interpolate(cells, size=x.shape[-2:], mode="bilinear", align_corners=False)
        gate = F.gelu(stretched.to(projected.dtype))
        if torch.is_grad_enabled():
            mixed: Tensor = self.out(F.gelu(torch.cat([plain, gate * gated], dim=1)))
            return mixed
        gated.mul_(gate)
        weight = self.out.weight.roll(self.split[0], dims=1)  # gated channels first, as they lie in memory
        return F.conv2d(torch.ops.aten.gelu_(projected), weight)
