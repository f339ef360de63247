"""SAFMN++, a faster SAFMN, as entered in the NTIRE 2024 challenge on efficient super-resolution.

Source: https://github.com/sunny2109/SAFMN, NTIRE2024_ESR/models/team23_safmnpp.py (Apache-2.0); the challenge report
is Ren et al., arXiv:2404.10343. Parameter names are the published ones.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restore_cli.layers.fused import add_mixture
from restore_cli.layers.simple_safm import POOLING, RECEPTIVE_FIELD, SimpleSAFM
from restore_cli.layers.upsampler import enlarge, pixel_shuffle_head
from restore_cli.networks.network import Network, StateDict
from restore_cli.networks.part import Part, cut_core, run_blocks
from restore_cli.networks.safmn_family import features_bytes, read_sizes


class CCM(nn.Module):
    """Mix channels, and add them to a skip: a 3x3 convolution to `hidden` channels, GELU, a 1x1 convolution back.

    Both inputs and the output: n, dim, h, w. The skip is overwritten, except in training.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, hidden, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(hidden, dim, 1, bias=False)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return add_mixture(skip, x, self.conv1, self.gelu, self.conv2)


class AttBlock(nn.Module):
    """Modulation of a third of the channels, then mixing, with one skip over both. n, dim, h, w both ways."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = SimpleSAFM(dim, dim // 3)
        self.conv2 = CCM(dim, hidden)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.conv2(self.conv1(x), skip=x)
        return mixed


class SAFMNPP(Network):
    """SAFMN++: dim 36, 6 blocks, x4."""

    architecture = "safmnpp"
    signature = frozenset({"to_feat.weight", "feats.0.conv1.dwconv.weight", "feats.0.conv2.conv1.weight"})

    def __init__(self, dim: int = 36, n_blocks: int = 6, ffn_scale: float = 1.5, upscaling_factor: int = 4) -> None:
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
        return read_sizes(state, "feats.0.conv2.conv1.weight")

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        features = self.to_feat(x.to(self.to_feat.weight.dtype))  # n, dim, h, w
        features, inner = run_blocks(self.feats, features, part, reach=RECEPTIVE_FIELD + 1, after=1, grid=self.grid)
        return cut_core(enlarge(self.to_img, features, part.cut(x, inner)), inner, self.scale)
