"""DySample, which enlarges features by reading them at points that it chooses itself.

Paper: Liu, Lu, Fu, Cao: Learning to Upsample by Learning to Sample, ICCV 2023, arXiv:2308.15085. Original code:
https://github.com/tiny-smart/dysample (MIT). Parameter names are the published ones. Different here: a point is a pixel
and a fraction, see sampling.py, so that it is exact however large the picture is; and it is float32 whatever the
precision of the features. `init_pos`, which published weights hold, is a constant; it is computed anew where it is
needed, since a conversion of the layer would round it. No network here holds it as it is: it is there for networks that
do, and the head of `networks/safmn_any.py` follows it.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.sampling import Centres, repeat_border, sample

STATIC_SCOPE = 0.25
"""Share of a predicted offset that counts: with features of unit variance, neighbouring points then seldom overlap."""
LARGEST_DYNAMIC_SCOPE = 0.5


class DySample(nn.Module):
    """Enlarge n, in_channels, h, w to n, in_channels, h·scale, w·scale.

    The paper's four forms: DySample is style `lp`, which predicts the offsets of all of a pixel's points (linear, then
    pixel shuffle); DySample-S is style `pl`, which shuffles first and predicts one offset at each point. `dyscope`
    makes them DySample+ and DySample-S+: the scope, too, is predicted. Channels fall into `groups` that share offsets.

    Raises:
        ValueError: the channels do not divide by the groups, or with style `pl` by scale².
    """

    init_pos: Tensor

    def __init__(
        self,
        in_channels: int,
        scale: int = 2,
        style: Literal["lp", "pl"] = "lp",
        groups: int = 4,
        dyscope: bool = False,
    ) -> None:
        super().__init__()
        shuffled = scale**2 if style == "pl" else 1
        if in_channels % groups or in_channels % shuffled:
            raise ValueError(f"{in_channels} channels do not divide by {groups} groups and {shuffled} points")
        self.scale = scale
        self.style = style
        self.groups = groups
        out_channels = 2 * groups * (1 if style == "pl" else scale**2)
        self.offset = nn.Conv2d(in_channels // shuffled, out_channels, 1)
        nn.init.normal_(self.offset.weight, std=0.001)
        nn.init.zeros_(self.get_parameter("offset.bias"))
        self.scope = nn.Conv2d(in_channels // shuffled, out_channels, 1, bias=False) if dyscope else None
        if self.scope is not None:
            nn.init.zeros_(self.scope.weight)
        self.register_buffer("init_pos", self._evenly_spaced())

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        right, down = self.offsets(x).permute(0, 2, 3, 1).chunk(2, dim=3)
        rows, columns = (self._pixels(length).to(x.device) for length in (h, w))
        features = repeat_border(x.permute(0, 2, 3, 1).float())
        sampled = sample(features, rows, columns, right, down)  # n, h·scale, w·scale, in_channels
        return sampled.permute(0, 3, 1, 2).to(x.dtype)

    def offsets(self, x: Tensor) -> Tensor:
        """Return how far the points made of each pixel of `x` lie from its centre, in pixels.

        n, 2 · groups, h·scale, w·scale float32: to the right for every group, then downwards for every group.
        """
        source = F.pixel_shuffle(x, self.scale) if self.style == "pl" else x
        predicted = self.offset(source).float()
        if self.scope is None:
            predicted = predicted * STATIC_SCOPE
        else:
            predicted = predicted * self.scope(source).float().sigmoid() * LARGEST_DYNAMIC_SCOPE
        if self.style == "pl":
            predicted = F.pixel_unshuffle(predicted, self.scale)
        return F.pixel_shuffle(predicted + self._evenly_spaced().to(x.device), self.scale)

    def _pixels(self, length: int) -> Centres:
        """Place every point at the centre of the pixel that it is made of."""
        pixel = torch.arange(length, device="cpu").repeat_interleave(self.scale)
        return Centres(pixel, torch.zeros_like(pixel, dtype=torch.float32), 1 / self.scale)

    def _evenly_spaced(self) -> Tensor:
        """Return the offsets of points that fill a pixel evenly: 1, 2 · groups · scale², 1, 1 float32."""
        along = (torch.arange(self.scale, dtype=torch.float32, device="cpu") - (self.scale - 1) / 2) / self.scale
        down, right = torch.meshgrid(along, along, indexing="ij")
        return torch.stack([right, down])[:, None].expand(-1, self.groups, -1, -1).reshape(1, -1, 1, 1)
