"""Light SAFMN++, for upscaling compressed pictures in real time, as entered in the AIS 2024 challenge.

Source: https://github.com/sunny2109/SAFMN, AIS2024-RTSR/light_safmnpp_arch.py (Apache-2.0); the challenge report is
Conde et al., arXiv:2404.16484. Parameter names are the published ones. Different here: the last convolution stays
float32 under reduced precision, since it makes the picture itself and not a residual.
"""

from __future__ import annotations

from torch import Tensor, nn

from restore_cli.layers.fused import convolve
from restore_cli.layers.simple_safm import POOLING, RECEPTIVE_FIELD, SimpleSAFM
from restore_cli.networks.safmn_family import DirectSAFMN


class CCM(nn.Module):
    """Mix channels: a 3x3 convolution to `hidden` channels, GELU, a 1x1 convolution back. n, dim, h, w both ways."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(dim, hidden, 3, padding=1, bias=False), nn.GELU(), nn.Conv2d(hidden, dim, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        widen, gelu, narrow = self.conv
        assert isinstance(widen, nn.Conv2d)
        assert isinstance(gelu, nn.GELU)
        mixed: Tensor = narrow(convolve(x, widen, gelu))
        return mixed


class AttBlock(nn.Module):
    """Modulation of half of the channels, then mixing, without a skip. n, dim, h, w both ways."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = SimpleSAFM(dim, dim // 2)
        self.conv2 = CCM(dim, hidden)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.conv2(self.conv1(x))
        return mixed


class LightSAFMNPP(DirectSAFMN):
    """Light SAFMN++: dim 32, 2 blocks, x4."""

    architecture = "light-safmnpp"
    signature = frozenset({"to_feat.weight", "feats.0.conv1.dwconv.weight", "feats.0.conv2.conv.0.weight"})
    block = AttBlock
    reach = RECEPTIVE_FIELD + 1
    hidden_key = "feats.0.conv2.conv.0.weight"
    has_bias = False
    grid = POOLING
    halo = 40

    def __init__(self, dim: int = 32, n_blocks: int = 2, ffn_scale: float = 1.5, upscaling_factor: int = 4) -> None:
        super().__init__(dim, n_blocks, ffn_scale, upscaling_factor)
