"""SAFMN for any scale: one set of weights enlarges by every factor from 1 to 4, fractions included.

The features are those of SAFMN (Sun et al., ICCV 2023, arXiv:2302.13800; https://github.com/sunny2109/SAFMN,
Apache-2.0), with the published parameter names, so that a trained trunk fits. The head is this project's own. As in
DySample (Liu et al., ICCV 2023, arXiv:2308.15085) every pixel of the input says by how much the points near it are
moved, group by group of channels; as in LIIF (Chen et al., CVPR 2021, arXiv:2012.09161) a point's features, its place
between the pixels and the size of an output pixel are turned into colour by layers that see one point at a time.
Different from these: what depends on the place alone is computed once for each row and column of the output, and
multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from restore_cli.layers.sampling import Centres, interpolate, place_centres, sample
from restore_cli.networks.network import Network, Part, StateDict, count_blocks
from restore_cli.networks.safmn import HALO, RECEPTIVE_FIELD, AttBlock

REACH = 1.0
"""Pixels by which a point is moved at the most, in each direction."""
HARMONICS = 2
"""Sines and cosines of a place between two pixels; more than two are needed only beyond x4."""
PLACE_WIDTH = 32
"""Width of the layers that see a row's or a column's place alone; they cost next to nothing."""
BAND_POINTS = 1 << 14
"""Output pixels that go through the head at a time; their features stay in a processor's cache."""


class PlaceCode(nn.Module):
    """Turns places along one side (Centres, m of them) into factors for sampled channels and shifts for hidden ones.

    Returns m, channels and m, hidden; the factors are about 1 at first.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.split = (channels, hidden)
        self.inner = nn.Linear(2 * HARMONICS + 1, PLACE_WIDTH)
        self.outer = nn.Linear(PLACE_WIDTH, channels + hidden)

    def forward(self, centres: Centres) -> tuple[Tensor, Tensor]:
        turns = centres.fraction[:, None] * torch.arange(1, HARMONICS + 1, device=centres.fraction.device) * math.tau
        cell = torch.full_like(turns[:, :1], centres.cell)
        code = torch.cat([turns.sin(), turns.cos(), cell], dim=1)  # m, 2 · HARMONICS + 1
        factors, shifts = self.outer(torch.relu(self.inner(code))).split(self.split, dim=1)
        return 1 + factors, shifts


class SAFMNAny(Network):
    """SAFMN's features, read at the centres of output pixels: dim 36, 8 blocks; x1 to x4, on each side its own.

    `channels` features are sampled at each output pixel, in `groups` that move together (0: none moves). `widths` are
    those of the hidden layers at each point; without any, colour is a linear function of the sampled features, whose
    factors depend on the place.
    """

    architecture = "safmn-any"
    signature = frozenset({"to_feat.weight", "to_points.weight", "feats.0.safm.aggr.weight"})

    def __init__(
        self,
        dim: int = 36,
        n_blocks: int = 8,
        ffn_scale: float = 2.0,
        *,
        channels: int = 64,
        groups: int = 4,
        widths: Sequence[int] = (64,),
    ) -> None:
        super().__init__()
        if groups and channels % groups:
            raise ValueError(f"{channels} channels do not divide into {groups} groups")
        hidden = round(dim * ffn_scale)
        self.scale = 4
        self.grid = 8
        self.halo = HALO * n_blocks + 8
        self.receptive_field = RECEPTIVE_FIELD * n_blocks + 2 + 4
        self.bytes_per_pixel = 4 * max(3 * dim + 2 * hidden, 2 * dim + 2 * channels + 2 * groups + 6 * self.scale**2)
        self.to_feat = nn.Conv2d(3, dim, 3, padding=1)
        self.feats = nn.Sequential(*(AttBlock(dim, hidden) for _ in range(n_blocks)))
        self.to_points = nn.Conv2d(dim, channels, 3, padding=1)
        self.offset = nn.Conv2d(dim, 2 * groups, 1) if groups else None
        self.rows = PlaceCode(channels, widths[0] if widths else 0)
        self.columns = PlaceCode(channels, widths[0] if widths else 0)
        sizes = [channels, *widths, 3]
        self.head = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        nn.init.normal_(self.get_parameter(f"head.{len(widths)}.weight"), std=1e-3)
        nn.init.zeros_(self.get_parameter(f"head.{len(widths)}.bias"))
        for parameter in () if self.offset is None else self.offset.parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        dim = state["to_feat.weight"].shape[0]
        return {
            "dim": dim,
            "n_blocks": count_blocks(state, "feats"),
            "ffn_scale": state["feats.0.ccm.ccm.0.weight"].shape[0] / dim,
            "channels": state["to_points.weight"].shape[0],
            "groups": state["offset.weight"].shape[0] // 2 if "offset.weight" in state else 0,
            "widths": [state[f"head.{i}.weight"].shape[0] for i in range(count_blocks(state, "head") - 1)],
        }

    def full_precision_modules(self) -> Iterable[nn.Module]:
        kept = (self.offset, self.rows, self.columns, self.head)
        return (module for module in kept if module is not None)

    def forward(self, x: Tensor, part: Part | None = None, *, size: tuple[int, int] | None = None) -> Tensor:
        """Enlarge `x` (n, 3, h, w float32) to `size`, height and width of n, 3, height, width; to x4 without it."""
        h, w = x.shape[-2:]
        height, width = size or (h * self.scale, w * self.scale)
        return self.restore_at(x, place_centres(h, height), place_centres(w, width))

    def restore_at(self, x: Tensor, rows: Centres, columns: Centres) -> Tensor:
        """Restore `x` (n, 3, h, w float32) at every crossing of a row and a column: n, 3, rows, columns float32."""
        rows, columns = rows.to(x.device), columns.to(x.device)
        features = self.to_feat(x.to(self.to_feat.weight.dtype))  # n, dim, h, w
        features = self.feats(features) + features
        points = self.to_points(features).float().permute(0, 2, 3, 1)  # n, h, w, channels
        fields = x
        if self.offset is not None:
            fields = torch.cat([x, REACH * self.offset(features.float()).tanh()], dim=1)
        fields = fields.permute(0, 2, 3, 1).contiguous()  # n, h, w, 3 + 2 · groups
        if torch.is_grad_enabled():
            return self._colour(points, fields, rows, columns).permute(0, 3, 1, 2)
        result = x.new_empty(len(x), 3, len(rows), len(columns))
        band = max(1, BAND_POINTS // len(columns))
        for top in range(0, len(rows), band):
            lines = slice(top, top + band)
            result[:, :, lines] = self._colour(points, fields, rows[lines], columns).permute(0, 3, 1, 2)
        return result

    def _colour(self, points: Tensor, fields: Tensor, rows: Centres, columns: Centres) -> Tensor:
        """Return n, rows, columns, 3 of the picture; `fields` holds the input and the offsets."""
        fields = interpolate(fields, rows, columns)
        plain, offsets = fields[..., :3], fields[..., 3:]
        x = sample(points, rows, columns, offsets) if offsets.shape[3] else interpolate(points, rows, columns)
        (row_factors, row_shifts), (column_factors, column_shifts) = self.rows(rows), self.columns(columns)
        x = x * row_factors[:, None] * column_factors
        for index, layer in enumerate(self.head[:-1]):
            x = layer(x)
            if index == 0:
                x = x + row_shifts[:, None] + column_shifts
            x = torch.relu(x)
        colour: Tensor = plain + self.head[-1](x)
        return colour
