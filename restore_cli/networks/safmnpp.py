"""SAFMN++, a faster SAFMN, as entered in the NTIRE 2024 challenge on efficient super-resolution.

Source: https://github.com/sunny2109/SAFMN, NTIRE2024_ESR/models/team23_safmnpp.py (Apache-2.0); the challenge report
is Ren et al., arXiv:2404.10343. Parameter names are the published ones.
"""

from __future__ import annotations

from torch import Tensor, nn

from restore_cli.layers.fused import add_mixture
from restore_cli.layers.simple_safm import POOLING, RECEPTIVE_FIELD, SimpleSAFM
from restore_cli.networks.safmn_family import ResidualSAFMN


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


class SAFMNPP(ResidualSAFMN):
    """SAFMN++: dim 36, 6 blocks, x4."""

    architecture = "safmnpp"
    signature = frozenset({"to_feat.weight", "feats.0.conv1.dwconv.weight", "feats.0.conv2.conv1.weight"})
    block = AttBlock
    reach = RECEPTIVE_FIELD + 1
    hidden_key = "feats.0.conv2.conv1.weight"
    has_bias = False
    grid = POOLING
    halo = 40

    def __init__(self, dim: int = 36, n_blocks: int = 6, ffn_scale: float = 1.5, upscaling_factor: int = 4) -> None:
        super().__init__(dim, n_blocks, ffn_scale, upscaling_factor)
