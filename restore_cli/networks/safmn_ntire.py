"""SAFMN as entered in the NTIRE 2023 challenge on efficient super-resolution.

Source: https://github.com/sunny2109/SAFMN, NTIRE2023_ESR/models/team15_SAFMN.py (Apache-2.0); the network is that of
Sun et al., ICCV 2023, arXiv:2302.13800, with wider pooling (4, 8, 16), no layer norms, one global response norm after
the first convolution, and a bilinear skip. Parameter names are the published ones. Different here: the response norm
takes a whole picture's channel energies from outside, so that tiles equal the whole.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restore_cli.layers.norm import GlobalResponseNorm, channel_energy
from restore_cli.layers.safm import CCM, SAFM
from restore_cli.layers.upsampler import enlarge, pixel_shuffle_head
from restore_cli.networks.network import Network, StateDict
from restore_cli.networks.part import Part, cut_core, run_blocks
from restore_cli.networks.safmn_family import features_bytes, read_sizes
from restore_cli.tiling import Box

RECEPTIVE_FIELD = 32
"""Pixels by which a block widens the receptive field: the neighbouring cell of 16, up to its far edge, and a 3x3."""


class AttBlock(nn.Module):
    """Feature modulation and channel mixing, each with a skip. n, dim, h, w both ways."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.safm = SAFM(dim, factors=(1, 4, 8, 16), bias=False)
        self.ccm = CCM(dim, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.safm(x, skip=x)
        mixed: Tensor = self.ccm(x, skip=x)
        return mixed


class SAFMNChallenge(Network):
    """The challenge's SAFMN: dim 36, 8 blocks, x4."""

    architecture = "safmn-ntire"
    signature = frozenset({"to_feat.weight", "norm.gamma", "feats.0.safm.aggr.weight"})
    statistic_halo = 1

    def __init__(self, dim: int = 36, n_blocks: int = 8, ffn_scale: float = 2.0, upscaling_factor: int = 4) -> None:
        super().__init__()
        self.scale = upscaling_factor
        self.grid = 16
        self.halo = 8 * n_blocks
        self.receptive_field = RECEPTIVE_FIELD * n_blocks + 2
        self.bytes_per_pixel = features_bytes(dim, round(dim * ffn_scale), upscaling_factor)
        self.norm = GlobalResponseNorm(dim)
        self.to_feat = nn.Conv2d(3, dim, 3, padding=1)
        self.feats = nn.Sequential(*(AttBlock(dim, round(dim * ffn_scale)) for _ in range(n_blocks)))
        self.to_img = pixel_shuffle_head(dim, upscaling_factor)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        return read_sizes(state, "feats.0.ccm.ccm.0.weight")

    def measure(self, x: Tensor, core: Box) -> Tensor:
        features = self.to_feat(x.to(self.to_feat.weight.dtype))
        return channel_energy(features[:, :, *core.slices])

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        features = self.norm(self.to_feat(x.to(self.to_feat.weight.dtype)), part.statistic)  # n, dim, h, w
        features, inner = run_blocks(self.feats, features, part, reach=RECEPTIVE_FIELD, after=1, grid=self.grid)
        return cut_core(enlarge(self.to_img, features, part.cut(x, inner)), inner, self.scale)
