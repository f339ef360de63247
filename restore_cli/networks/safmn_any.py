"""SAFMN for any scale: one set of weights enlarges by every factor from 1 to 4, fractions included.

The features are those of SAFMN (Sun et al., ICCV 2023, arXiv:2302.13800; https://github.com/sunny2109/SAFMN,
Apache-2.0), with the published parameter names, so that a trained trunk fits. The head is this project's own. It reads
features for every output pixel: some of the input pixel that it lies in, which is what a pixel shuffle does, and some
between the pixels, at points that the picture moves group by group of channels, as in DySample (Liu et al., ICCV 2023,
arXiv:2308.15085). As in LIIF (Chen et al., CVPR 2021, arXiv:2012.09161) an output pixel's place within the input's and
its size decide what colour is made of them. Different from these: a place gives a factor to each feature, the product
of one for its row and one for its column, and colour is the sum of the features so weighted, without hidden layers.
That costs little, and is enough to be a pixel shuffle of any scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from restore_cli.layers.sampling import Centres, interpolate, pick, repeat_border, sample
from restore_cli.networks.network import ContinuousNetwork, StateDict, count_blocks
from restore_cli.networks.part import Part, run_blocks
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
BAND_POINTS = 1 << 16
"""Output pixels that are made at a time, in some 60 MB; half as many take a tenth longer."""


class PositionEncoding(nn.Module):
    """Turns places along one side (Centres, m of them) into a factor for each feature: m, features.

    Factors are about 1 in size and differ from feature to feature from the start.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.inner = nn.Linear(2 * HARMONICS + 2, PLACE_WIDTH)
        self.outer = nn.Linear(PLACE_WIDTH, features)
        nn.init.normal_(self.outer.weight, std=0.7)

    def forward(self, centres: Centres) -> Tensor:
        phase = centres.phase[:, None]
        turns = math.tau * phase * torch.arange(1, HARMONICS + 1, device=phase.device)
        code = torch.cat([turns.sin(), turns.cos(), 2 * phase, torch.full_like(phase, centres.cell)], dim=1)
        factors: Tensor = self.outer(torch.relu(self.inner(code)))
        return factors


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """What an input was turned into, to be read at the places of output pixels; all n, h, w, c float32."""

    base: Tensor
    """The input plus the head's bias: what the features add to."""
    anchored: Tensor | None
    moving: Tensor | None
    """With a border of one pixel."""
    offsets: tuple[Tensor, Tensor] | None
    """How far to the right and downwards the groups of `moving` are read, in pixels."""

    def read(self, rows: Centres, columns: Centres) -> list[Tensor]:
        """Return the features for every output pixel, anchored before moving: n, rows, columns, c each."""
        read = []
        if self.anchored is not None:
            read.append(pick(self.anchored, rows, columns))
        if self.moving is not None and self.offsets is not None:
            right, down = (interpolate(offset, rows, columns) for offset in self.offsets)
            read.append(sample(self.moving, rows, columns, right, down))
        return read


class SAFMNAny(ContinuousNetwork):
    """SAFMN's features, read for each output pixel: dim 36, 8 blocks; x1 to x4, on each side its own.

    `anchored` features are read of the input pixel that an output pixel lies in, `moving` ones at points near its
    centre, in `groups` that move together. Either can be 0.
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
        self.rows = PositionEncoding(features)
        self.columns = PositionEncoding(features)
        self.head = nn.Sequential(nn.Linear(features, 3))
        nn.init.normal_(self.get_parameter("head.0.weight"), std=1e-4)
        nn.init.zeros_(self.get_parameter("head.0.bias"))
        for parameter in () if self.offset is None else self.offset.parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        dim = state["to_feat.weight"].shape[0]
        moves = "moving.weight" in state
        return {
            "dim": dim,
            "n_blocks": count_blocks(state, "feats"),
            "ffn_scale": state["feats.0.ccm.ccm.0.weight"].shape[0] / dim,
            "anchored": state["anchored.weight"].shape[0] if "anchored.weight" in state else 0,
            "moving": state["moving.weight"].shape[0] if moves else 0,
            "groups": state["offset.weight"].shape[0] // 2 if moves else 0,
        }

    def full_precision_modules(self) -> Iterable[nn.Module]:
        kept = (self.offset, self.rows, self.columns, self.head)
        return (module for module in kept if module is not None)

    def restore_at(self, x: Tensor, rows: Centres, columns: Centres, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        maps, inner = self._prepare(x, part)
        origin = inner.box.within(part.box)
        rows, columns = rows.to(x.device).seen_from(origin.top), columns.to(x.device).seen_from(origin.left)
        weights = self.rows(rows)[:, :, None] * self.get_parameter("head.0.weight").t()  # rows, features, 3
        factors = self.columns(columns)  # columns, features
        if torch.is_grad_enabled():
            return self._colour(maps, rows, columns, weights, factors).permute(0, 3, 1, 2)
        result = x.new_empty(len(x), 3, len(rows), len(columns))
        band = max(1, BAND_POINTS // len(columns))
        for top in range(0, len(rows), band):
            lines = slice(top, top + band)
            colour = self._colour(maps, rows[lines], columns, weights[lines], factors)
            result[:, :, lines] = colour.permute(0, 3, 1, 2)
        return result

    def _prepare(self, x: Tensor, part: Part) -> tuple[FeatureMaps, Part]:
        """Make of `x` what output pixels are read of; return also which part of it, the core and some halo."""
        shallow = self.to_feat(x.to(self.to_feat.weight.dtype))  # n, dim, h, w
        deep, inner = run_blocks(self.feats, shallow, part, reach=RECEPTIVE_FIELD, after=HEAD_REACH, grid=self.grid)
        features = deep + part.cut(shallow, inner)
        base = by_pixel(part.cut(x, inner)) + self.get_parameter("head.0.bias")
        anchored = None if self.anchored is None else by_pixel(self.anchored(features))
        if self.moving is None or self.offset is None:
            return FeatureMaps(base, anchored, None, None), inner
        offsets = by_pixel(REACH * self.offset(features.float()).tanh())
        right, down = (half.contiguous() for half in offsets.chunk(2, dim=3))
        return FeatureMaps(base, anchored, repeat_border(by_pixel(self.moving(features))), (right, down)), inner

    def _colour(self, maps: FeatureMaps, rows: Centres, columns: Centres, weights: Tensor, factors: Tensor) -> Tensor:
        """Return n, rows, columns, 3 of the picture: the input, interpolated, and the weighted sum of what is read."""
        colour = interpolate(maps.base, rows, columns)
        read = maps.read(rows, columns)
        counts = [part.shape[3] for part in read]
        for part, shares, factor in zip(
            read, torch.split(weights, counts, 1), torch.split(factors, counts, 1), strict=True
        ):
            colour = colour + (part * factor) @ shares
        return colour


def by_pixel(x: Tensor) -> Tensor:
    """Turn n, c, h, w into n, h, w, c, contiguous and float32."""
    return x.permute(0, 2, 3, 1).float().contiguous()
