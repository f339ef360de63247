"""Light SAFMN++, for upscaling compressed pictures in real time, as entered in the AIS 2024 challenge.

Source: https://github.com/sunny2109/SAFMN, AIS2024-RTSR/light_safmnpp_arch.py (Apache-2.0); the challenge report is
Conde et al., arXiv:2404.16484. Parameter names are the published ones. Different here: the last convolution stays
float32 under reduced precision, since it makes the picture itself and not a residual.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from restore_cli.layers.fused import convolve
from restore_cli.layers.simple_safm import POOLING, RECEPTIVE_FIELD, SimpleSAFM
from restore_cli.layers.upsampler import enlarge_sum, pixel_shuffle_head
from restore_cli.networks.network import Network, StateDict
from restore_cli.networks.part import Part, cut_core, run_blocks
from restore_cli.networks.safmn_family import features_bytes, read_sizes


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


class LightSAFMNPP(Network):
    """Light SAFMN++: dim 32, 2 blocks, x4."""

    architecture = "light-safmnpp"
    signature = frozenset({"to_feat.weight", "feats.0.conv1.dwconv.weight", "feats.0.conv2.conv.0.weight"})

    def __init__(self, dim: int = 32, n_blocks: int = 2, ffn_scale: float = 1.5, upscaling_factor: int = 4) -> None:
        super().__init__()
        self.scale = upscaling_factor
        self.grid = POOLING
        self.halo = 40
        self.receptive_field = (RECEPTIVE_FIELD + 1) * n_blocks + 2
        self.bytes_per_pixel = features_bytes(dim, round(dim * ffn_scale), upscaling_factor)
        self.to_feat = nn.Conv2d(3, dim, 3, padding=1, bias=False)
        self.feats = nn.Sequential(*(AttBlock(dim, round(dim * ffn_scale)) for _ in range(n_blocks)))
        self.to_img = pixel_shuffle_head(dim, upscaling_factor, bias=False)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        return read_sizes(state, "feats.0.conv2.conv.0.weight")

    def full_precision_modules(self) -> Iterable[nn.Module]:
        return (self.to_img,)

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        features = self.to_feat(x.to(self.to_feat.weight.dtype))  # n, dim, h, w
        deep, inner = run_blocks(self.feats, features, part, reach=RECEPTIVE_FIELD + 1, after=1, grid=self.grid)
        picture = enlarge_sum(self.to_img, deep, part.cut(features, inner), part.cut(x, inner))
        return cut_core(picture, inner, self.scale)
