"""SAFMN for any scale: one set of weights enlarges by every factor from 1 to 4, fractions included.

The features are those of SAFMN (Sun et al., ICCV 2023, arXiv:2302.13800; https://github.com/sunny2109/SAFMN,
Apache-2.0), with the published parameter names, so that a trained trunk fits. The head is this project's own. It reads
features for every output pixel: some of the input pixel that it lies in, which is what a pixel shuffle does, and some
between the pixels, at points that the picture moves group by group of channels, as in DySample (Liu et al., ICCV 2023,
arXiv:2308.15085). As in LIIF (Chen et al., CVPR 2021, arXiv:2012.09161) an output pixel's place within the input's and
its size decide what colour is made of them. Different from these: a place's part is a factor for each feature, the
product of one for its row and one for its column, so it costs next to nothing, and no layer has to follow; pixel
shuffles of all scales are among what a sum of features multiplied so can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from restore_cli.layers.sampling import Centres, interpolate, sample
from restore_cli.networks.network import ContinuousNetwork, StateDict, count_blocks
from restore_cli.networks.safmn import HALO, RECEPTIVE_FIELD, AttBlock

REACH = 1.0
"""Pixels by which a point is moved at the most, in each direction."""
HEAD_REACH = 3
"""Pixels around an output pixel's own whose features count for its colour: a moved point lies between two pixels, and
each is made by a 3x3."""
HARMONICS = 2
"""Sines and cosines of a phase; they tell four phases on each side apart."""
PLACE_WIDTH = 64
"""Width of the layers that see a row's or a column's place alone; they cost next to nothing."""
BAND_POINTS = 1 << 14
"""Output pixels that go through the head at a time; their features stay in a processor's cache."""


class PlaceCode(nn.Module):
    """Turns places along one side (Centres, m of them) into factors for features and shifts for the first hidden layer.

    Returns m, features and m, hidden. The factors differ from feature to feature from the start, about 1 in size.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.split = (features, hidden)
        self.inner = nn.Linear(2 * HARMONICS + 2, PLACE_WIDTH)
        self.outer = nn.Linear(PLACE_WIDTH, features + hidden)
        nn.init.normal_(self.outer.weight[:features], std=0.7)

    def forward(self, centres: Centres) -> tuple[Tensor, Tensor]:
        phase = centres.phase[:, None]
        turns = math.tau * phase * torch.arange(1, HARMONICS + 1, device=phase.device)
        code = torch.cat([turns.sin(), turns.cos(), 2 * phase, torch.full_like(phase, centres.cell)], dim=1)
        factors, shifts = self.outer(torch.relu(self.inner(code))).tensor_split(self.split[:1], dim=1)
        return factors, shifts


class SAFMNAny(ContinuousNetwork):
    """SAFMN's features, read for each output pixel: dim 36, 8 blocks; x1 to x4, on each side its own.

    `anchored` features are read of the input pixel that an output pixel lies in, `moving` ones at points near its
    centre, in `groups` that move together. `widths` are those of the hidden layers that make colour of them; without
    any, colour is their sum, weighted by the factors of the place.
    """

    architecture = "safmn-any"
    signature = frozenset({"to_feat.weight", "rows.inner.weight", "feats.0.safm.aggr.weight"})

    def __init__(
        self,
        dim: int = 36,
        n_blocks: int = 8,
        ffn_scale: float = 2.0,
        *,
        anchored: int = 48,
        moving: int = 16,
        groups: int = 4,
        widths: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if anchored + moving < 1 or (moving and (groups < 1 or moving % groups)):
            raise ValueError(f"{moving} moving features of {anchored + moving} do not divide into {groups} groups")
        hidden = round(dim * ffn_scale)
        features = anchored + moving
        self.scale = 4
        self.grid = 8
        self.halo = HALO * n_blocks + HEAD_REACH
        self.receptive_field = RECEPTIVE_FIELD * n_blocks + 1 + HEAD_REACH
        self.bytes_per_pixel = 4 * max(3 * dim + 2 * hidden, 2 * dim + 2 * features + 4 * groups + 6 * self.scale**2)
        self.to_feat = nn.Conv2d(3, dim, 3, padding=1)
        self.feats = nn.Sequential(*(AttBlock(dim, hidden) for _ in range(n_blocks)))
        self.anchored = nn.Conv2d(dim, anchored, 3, padding=1) if anchored else None
        self.moving = nn.Conv2d(dim, moving, 3, padding=1) if moving else None
        self.offset = nn.Conv2d(dim, 2 * groups, 1) if moving else None
        self.rows = PlaceCode(features, sum(widths[:1]))
        self.columns = PlaceCode(features, sum(widths[:1]))
        self.head = nn.ModuleList(nn.Linear(*sizes) for sizes in pairwise([features, *widths, 3]))
        nn.init.normal_(self.get_parameter(f"head.{len(widths)}.weight"), std=1e-4)
        nn.init.zeros_(self.get_parameter(f"head.{len(widths)}.bias"))
        for parameter in () if self.offset is None else self.offset.parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        dim = state["to_feat.weight"].shape[0]
        read: dict[str, Any] = {
            "dim": dim,
            "n_blocks": count_blocks(state, "feats"),
            "ffn_scale": state["feats.0.ccm.ccm.0.weight"].shape[0] / dim,
            "anchored": state["anchored.weight"].shape[0] if "anchored.weight" in state else 0,
            "moving": state["moving.weight"].shape[0] if "moving.weight" in state else 0,
            "widths": [state[f"head.{index}.weight"].shape[0] for index in range(count_blocks(state, "head") - 1)],
        }
        return read | ({"groups": state["offset.weight"].shape[0] // 2} if read["moving"] else {})

    def full_precision_modules(self) -> Iterable[nn.Module]:
        kept = (self.offset, self.rows, self.columns, self.head)
        return (module for module in kept if module is not None)

    def restore_at(self, x: Tensor, rows: Centres, columns: Centres) -> Tensor:
        rows, columns = rows.to(x.device), columns.to(x.device)
        features = self.to_feat(x.to(self.to_feat.weight.dtype))  # n, dim, h, w
        features = self.feats(features) + features
        anchored = None if self.anchored is None else by_pixel(self.anchored(features))
        moving = None if self.moving is None else by_pixel(self.moving(features))
        fields = x if self.offset is None else torch.cat([x, REACH * self.offset(features.float()).tanh()], dim=1)
        fields = by_pixel(fields)  # n, h, w, 3 + 2 · groups
        if torch.is_grad_enabled():
            return self._colour(anchored, moving, fields, rows, columns).permute(0, 3, 1, 2)
        result = x.new_empty(len(x), 3, len(rows), len(columns))
        band = max(1, BAND_POINTS // len(columns))
        for top in range(0, len(rows), band):
            lines = slice(top, top + band)
            colour = self._colour(anchored, moving, fields, rows[lines], columns)
            result[:, :, lines] = colour.permute(0, 3, 1, 2)
        return result

    def _colour(
        self, anchored: Tensor | None, moving: Tensor | None, fields: Tensor, rows: Centres, columns: Centres
    ) -> Tensor:
        """Return n, rows, columns, 3 of the picture; `fields` holds the input and the offsets. All are n, h, w, c."""
        fields = interpolate(fields, rows, columns)
        plain, offsets = fields[..., :3], fields[..., 3:]
        read = []
        if anchored is not None:
            h, w = anchored.shape[1:3]
            read.append(anchored.index_select(1, rows.nearest(h)).index_select(2, columns.nearest(w)))
        if moving is not None:
            read.append(sample(moving, rows, columns, offsets))
        (row_factors, row_shifts), (column_factors, column_shifts) = self.rows(rows), self.columns(columns)
        x = torch.cat(read, dim=3) * row_factors[:, None] * column_factors  # n, rows, columns, features
        for index, layer in enumerate(self.head[:-1]):
            x = layer(x)
            if index == 0:
                x = x + row_shifts[:, None] + column_shifts
            x = torch.relu(x)
        colour: Tensor = plain + self.head[-1](x)
        return colour


def by_pixel(x: Tensor) -> Tensor:
    """Turn n, c, h, w into n, h, w, c, contiguous and float32."""
    return x.permute(0, 2, 3, 1).float().contiguous()
