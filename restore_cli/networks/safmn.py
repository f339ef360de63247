"""SAFMN, a small super-resolution network, in the form of the paper.

Paper: Sun, Dong, Tang, Pan: Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution, ICCV 2023,
arXiv:2302.13800. Original code: https://github.com/sunny2109/SAFMN, basicsr/archs/safmn_arch.py (Apache-2.0).
Parameter names are the published ones. Different here: the last convolution stays float32 under reduced precision,
since it makes the picture itself and not a residual.
"""

from __future__ import annotations

from torch import Tensor, nn

from restore_cli.layers.norm import ChannelLayerNorm
from restore_cli.layers.safm import CCM, SAFM
from restore_cli.networks.safmn_family import DirectSAFMN

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


class SAFMN(DirectSAFMN):
    """The paper's SAFMN: dim 36, 8 blocks (small) or dim 128, 16 blocks (L); x2, x3, x4."""

    architecture = "safmn"
    signature = frozenset({"to_feat.weight", "feats.0.norm1.weight", "feats.0.safm.aggr.weight", "to_img.0.weight"})
    block = AttBlock
    reach = RECEPTIVE_FIELD
    hidden_key = "feats.0.ccm.ccm.0.weight"
    grid = 8

    def __init__(self, dim: int = 36, n_blocks: int = 8, ffn_scale: float = 2.0, upscaling_factor: int = 4) -> None:
        super().__init__(dim, n_blocks, ffn_scale, upscaling_factor)
        self.halo = HALO * n_blocks
