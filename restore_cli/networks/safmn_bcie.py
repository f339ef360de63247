"""SAFMN_BCIE, a SAFMN at half resolution that removes JPEG artefacts (blind compressed image enhancement).

Source: https://github.com/sunny2109/SAFMN, basicsr/archs/safmn_bcie_arch.py (Apache-2.0); the blocks are those of Sun
et al., ICCV 2023, arXiv:2302.13800. Parameter names are the published ones. Different here: the last two convolutions
stay float32 under reduced precision, since they make the picture itself and not a residual.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from restore_cli.networks.network import Locality, Network, StateDict, count_blocks
from restore_cli.networks.part import Part, cut_core
from restore_cli.networks.safmn import HALO, RECEPTIVE_FIELD, AttBlock
from restore_cli.networks.safmn_family import features_bytes


class BasicLayer(nn.Module):
    """SAFMN blocks and a convolution, with a skip over all of them. n, dim, h, w both ways."""

    def __init__(self, num_layers: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(AttBlock(dim, hidden) for _ in range(num_layers)))
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.conv(self.layers(x))
        return mixed + x


class SAFMNBCIE(Network):
    """SAFMN_BCIE: scale 1; pixels are unshuffled by `upscaling_factor` before the blocks and shuffled after them."""

    architecture = "safmn-bcie"
    locality = Locality.CLOSE
    half_precisions = frozenset()  # its receptive field is too wide for tiles that are exact in reduced precision
    signature = frozenset({"to_feat.1.weight", "feats.0.conv.weight", "feats.0.layers.0.safm.aggr.weight"})

    def __init__(
        self, dim: int, n_blocks: int = 6, num_layers: int = 6, ffn_scale: float = 2.0, upscaling_factor: int = 2
    ) -> None:
        super().__init__()
        self.scale = 1
        self.grid = 8 * upscaling_factor
        self.halo = upscaling_factor * HALO * n_blocks * num_layers
        self.receptive_field = upscaling_factor * (n_blocks * (RECEPTIVE_FIELD * num_layers + 1) + 2) + 1
        area = upscaling_factor**2
        body = features_bytes(dim, round(dim * ffn_scale), upscaling_factor) // area
        self.bytes_per_pixel = max(body, 4 * (2 * dim + 2 * dim // area + 6))  # features shuffled, twice
        self.to_feat = nn.Sequential(nn.PixelUnshuffle(upscaling_factor), nn.Conv2d(3 * area, dim, 3, padding=1))
        self.feats = nn.Sequential(*(BasicLayer(num_layers, dim, round(dim * ffn_scale)) for _ in range(n_blocks)))
        self.to_img = nn.Sequential(
            nn.Conv2d(dim, dim * area, 3, padding=1),
            nn.PixelShuffle(upscaling_factor),
            nn.Conv2d(dim, 3, 3, padding=1),
        )

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        dim, channels = state["to_feat.1.weight"].shape[:2]
        return {
            "dim": dim,
            "n_blocks": count_blocks(state, "feats"),
            "num_layers": count_blocks(state, "feats.0.layers"),
            "ffn_scale": state["feats.0.layers.0.ccm.ccm.0.weight"].shape[0] / dim,
            "upscaling_factor": math.isqrt(channels // 3),
        }

    def full_precision_modules(self) -> Iterable[nn.Module]:
        return (self.to_img,)

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        features = self.to_feat(x.to(next(self.feats.parameters()).dtype))  # n, dim, h / factor, w / factor
        features = self.feats(features) + features
        picture: Tensor = self.to_img(features.float())  # n, 3, h, w
        return cut_core(picture, part, self.scale)
