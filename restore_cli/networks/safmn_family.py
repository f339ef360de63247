"""What the networks of the SAFMN family share: their trunk, their two kinds of head, and what features take.

All of them make features by a 3x3 convolution, put them through blocks of one kind, and make the picture by a pixel
shuffle. They differ in their blocks, and in what the shuffle makes: the picture, or what is added to the input's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor, nn

from restore_cli.layers.upsampler import enlarge, enlarge_sum, pixel_shuffle_head
from restore_cli.networks.network import Network, StateDict, count_blocks
from restore_cli.networks.part import Part, cut_core, run_blocks


class UpscalingSAFMN(Network):
    """The trunk and its sizes; a subclass sets `grid` and `halo`, too."""

    block: ClassVar[type[nn.Module]]
    """Made from its features and its hidden ones; n, dim, h, w both ways."""
    reach: ClassVar[int]
    """Pixels by which a block widens the receptive field."""
    hidden_key: ClassVar[str]
    """State dict key of the weight that makes the first block's hidden features."""
    has_bias: ClassVar[bool] = True
    """Of the first convolution and the last."""

    def __init__(self, dim: int, n_blocks: int, ffn_scale: float, upscaling_factor: int) -> None:
        super().__init__()
        hidden = round(dim * ffn_scale)
        self.scale = upscaling_factor
        self.receptive_field = self.reach * n_blocks + 2
        self.bytes_per_pixel = features_bytes(dim, hidden, upscaling_factor)
        self.to_feat = nn.Conv2d(3, dim, 3, padding=1, bias=self.has_bias)
        self.feats = nn.Sequential(*(self.block(dim, hidden) for _ in range(n_blocks)))
        self.to_img = pixel_shuffle_head(dim, upscaling_factor, bias=self.has_bias)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        dim = state["to_feat.weight"].shape[0]
        return {
            "dim": dim,
            "n_blocks": count_blocks(state, "feats"),
            "ffn_scale": state[cls.hidden_key].shape[0] / dim,
            "upscaling_factor": math.isqrt(state["to_img.0.weight"].shape[0] // 3),
        }

    def first_features(self, x: Tensor, part: Part) -> Tensor:
        """Return what the blocks are given for a tile `x` (n, 3, h, w): n, dim, h, w."""
        features: Tensor = self.to_feat(x.to(self.to_feat.weight.dtype))
        return features

    def deepen(self, features: Tensor, part: Part) -> tuple[Tensor, Part]:
        """Return what the blocks make of `features` (n, dim, h, w, over the part's box), and of which part of it."""
        return run_blocks(self.feats, features, part, reach=self.reach, after=1, grid=self.grid)


class DirectSAFMN(UpscalingSAFMN):
    """The head makes the picture itself, of the first features plus the last; so it stays float32."""

    def full_precision_modules(self) -> Iterable[nn.Module]:
        return (self.to_img,)

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        features = self.first_features(x, part)
        deep, inner = self.deepen(features, part)
        picture = enlarge_sum(self.to_img, deep, part.cut(features, inner), part.cut(x, inner))
        return cut_core(picture, inner, self.scale)


class ResidualSAFMN(UpscalingSAFMN):
    """The head makes what is added to the input, interpolated bilinearly."""

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        part = part or Part.of_whole(x)
        deep, inner = self.deepen(self.first_features(x, part), part)
        return cut_core(enlarge(self.to_img, deep, part.cut(x, inner)), inner, self.scale)


def features_bytes(dim: int, hidden: int, scale: int) -> int:
    """Return the bytes per input pixel that a residual network of `dim` and `hidden` channels holds at its widest.

    Alive at once are two skips, a block's input, the hidden features before and after their activation; or the
    picture made from them, twice.
    """
    return 4 * max(3 * dim + 2 * hidden, 2 * dim + 6 * scale**2)
