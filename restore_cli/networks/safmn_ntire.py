"""SAFMN as entered in the NTIRE 2023 challenge on efficient super-resolution.

Source: https://github.com/sunny2109/SAFMN, NTIRE2023_ESR/models/team15_SAFMN.py (Apache-2.0); the network is that of
Sun et al., ICCV 2023, arXiv:2302.13800, with wider pooling (4, 8, 16), no layer norms, one global response norm after
the first convolution, and a bilinear skip. Parameter names are the published ones. Different here: the response norm
takes a whole picture's channel energies from outside, so that tiles equal the whole.
"""

from __future__ import annotations

from torch import Tensor, nn

from restore_cli.layers.norm import GlobalResponseNorm, channel_energy
from restore_cli.layers.safm import CCM, SAFM
from restore_cli.networks.part import Part
from restore_cli.networks.safmn_family import ResidualSAFMN
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


class SAFMNChallenge(ResidualSAFMN):
    """The challenge's SAFMN: dim 36, 8 blocks, x4."""

    architecture = "safmn-ntire"
    signature = frozenset({"to_feat.weight", "norm.gamma", "feats.0.safm.aggr.weight"})
    block = AttBlock
    reach = RECEPTIVE_FIELD
    hidden_key = "feats.0.ccm.ccm.0.weight"
    grid = 16
    statistic_halo = 1

    def __init__(self, dim: int = 36, n_blocks: int = 8, ffn_scale: float = 2.0, upscaling_factor: int = 4) -> None:
        super().__init__(dim, n_blocks, ffn_scale, upscaling_factor)
        self.halo = 8 * n_blocks
        self.norm = GlobalResponseNorm(dim)

    def measure(self, x: Tensor, core: Box) -> Tensor:
        features = self.to_feat(x.to(self.to_feat.weight.dtype))
        return channel_energy(features[:, :, *core.slices])

    def first_features(self, x: Tensor, part: Part) -> Tensor:
        features: Tensor = self.norm(super().first_features(x, part), part.statistic)
        return features
