"""SAFMN, a small super-resolution network, in the form of the paper.

Paper: Sun, Dong, Tang, Pan: Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution, ICCV 2023,
arXiv:2302.13800. Original code: https://github.com/sunny2109/SAFMN, basicsr/archs/safmn_arch.py (Apache-2.0).
Parameter names are the published ones. Different here: the last convolution stays float32 under reduced precision,
since it makes the picture itself and not a residual.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from restore_cli.layers.norm import ChannelLayerNorm
from restore_cli.layers.safm import CCM, SAFM
from restore_cli.layers.upsampler import enlarge_sum, pixel_shuffle_head
from restore_cli.networks.network import Network, StateDict
from restore_cli.networks.part import Part, cut_core, run_blocks
from restore_cli.networks.safmn_family import features_bytes, read_sizes

HALO = 6
"""Pixels of halo that a block needs, measured on the small network; assumed of larger ones."""
RECEPTIVE_FIELD = 16
"""Pixels by which a block widens the receptive field: the neighbouring cell of 8, up to its far edge, and a 3x3."""


class AttBlock(nn.Module):
    """Feature modulation and channel mixing, each behind a layer norm and with a skip. n, dim, h, w both ways."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = ChannelLayerNorm(dim)
        self.norm2 = ChannelLayerNorm(dim)
        self.safm = SAFM(dim)
        self.ccm = CCM(dim, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = self.safm(self.norm1(x), skip=x)
        mixed: Tensor = self.ccm(self.norm2(x), skip=x)
        return mixed


class SAFMN(Network):
    """The paper's SAFMN: dim 36, 8 blocks (small) or dim 128, 16 blocks (L); x2, x3, x4."""

    architecture = "safmn"
    signature = frozenset({"to_feat.weight", "feats.0.norm1.weight", "feats.0.safm.aggr.weight", "to_img.0.weight"})

    def __init__(self, dim: int = 36, n_blocks: int = 8, ffn_scale: float = 2.0, upscaling_factor: int = 4) -> None:
        super().__init__()
        self.scale = upscaling_factor
        self.grid = 8
        self.halo = HALO * n_blocks
        self.receptive_field = RECEPTIVE_FIELD * n_blocks + 2
        self.bytes_per_pixel = features_bytes(dim, round(dim * ffn_scale), upscaling_factor)
        self.to_feat = nn.Conv2d(3, dim, 3, padding=1)
        self.feats = nn.Sequential(*(AttBlock(dim, round(dim * ffn_scale)) for _ in range(n_blocks)))
        self.to_img = pixel_shuffle_head(dim, upscaling_factor)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        return read_sizes(state, "feats.0.ccm.ccm.0.weight")

    def full_precision_modules(self) -> Iterable[nn.Module]:
        return (self.to_img,)

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        features = self.to_feat(x.to(self.to_feat.weight.dtype))  # n, dim, h, w
        deep, inner = run_blocks(self.feats, features, part, reach=RECEPTIVE_FIELD, after=1, grid=self.grid)
        picture = enlarge_sum(self.to_img, deep, part.cut(features, inner), part.cut(x, inner))
        return cut_core(picture, inner, self.scale)
