"""DarkIR, which turns dark, noisy, slightly blurred photographs into clear ones.

Paper: Feijoo, Benito, Garcia, Conde: DarkIR: Robust Low-Light Image Restoration, CVPR 2025, arXiv:2412.13443. Original
code: https://github.com/cidautai/DarkIR, archs/DarkIR.py (MIT). Parameter names are the published ones. Different here:
the network is written as steps, so that a picture of any size passes exactly in little memory; see layers/execution.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.darkir import DBlock, EBlock
from restore_cli.layers.execution import Executor
from restore_cli.layers.fused import add
from restore_cli.networks.network import StateDict, SteppedNetwork, count_blocks

DILATIONS = (1, 4, 9)
"""Of the branches of a DBlock, as published; a state dict tells their number alone."""


class BlockSequence(nn.Module):
    """Blocks one after the other."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.modules_list = nn.ModuleList(blocks)

    def forward(self, x: Tensor, executor: Executor) -> Tensor:
        for block in self.modules_list:
            x = block(x, executor)
        return x


class DarkIR(SteppedNetwork):
    """A U-shaped network: EBlocks on the way down, DBlocks on the way up; width 32 (m) or 64 (l)."""

    architecture = "darkir"
    auto_reduces = False  # bfloat16 is a fifth faster on a processor, and turns a twentieth of all values by a level
    margin = 8  # without, the outermost pixels are up to 38 levels off; the wider, the more the brightness changes
    signature = frozenset({"intro.weight", "ending.weight", "middle_blks_enc.modules_list.0.freq.process1.0.weight"})

    def __init__(
        self,
        width: int = 32,
        *,
        enc_blk_nums: Sequence[int] = (1, 2, 3),
        middle_blk_num_enc: int = 2,
        middle_blk_num_dec: int = 2,
        dec_blk_nums: Sequence[int] = (3, 1, 1),
        dilations: Sequence[int] = DILATIONS,
        extra_depth_wise: bool = True,
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError("a network has at least one channel")
        levels = len(enc_blk_nums)
        self.scale = 1
        self.grid = 2**levels
        self.bytes_per_pixel = 4 * 4 * width  # three planes of features and one of what else is alive
        widths = [width * 2**level for level in range(levels + 1)]

        def encode(count: int, channels: int) -> BlockSequence:
            return BlockSequence(*(EBlock(channels, extra_depth_wise=extra_depth_wise) for _ in range(count)))

        def decode(count: int, channels: int) -> BlockSequence:
            blocks = (DBlock(channels, dilations=dilations, extra_depth_wise=extra_depth_wise) for _ in range(count))
            return BlockSequence(*blocks)

        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        self.encoders = nn.ModuleList(encode(count, w) for count, w in zip(enc_blk_nums, widths[:-1], strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, 2) for w in widths[:-1])
        self.middle_blks_enc = encode(middle_blk_num_enc, widths[-1])
        self.middle_blks_dec = decode(middle_blk_num_dec, widths[-1])
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, 2 * w, 1, bias=False), nn.PixelShuffle(2)) for w in widths[:0:-1]
        )
        self.decoders = nn.ModuleList(decode(count, w) for count, w in zip(dec_blk_nums, widths[-2::-1], strict=True))
        self.side_out = nn.Conv2d(widths[-1], 3, 3, padding=1)  # makes a small picture for a second loss in training

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        levels = count_blocks(state, "encoders")
        branches = count_blocks(state, "middle_blks_dec.modules_list.0.branches")
        return {
            "width": state["intro.weight"].shape[0],
            "enc_blk_nums": [count_blocks(state, f"encoders.{i}.modules_list") for i in range(levels)],
            "middle_blk_num_enc": count_blocks(state, "middle_blks_enc.modules_list"),
            "middle_blk_num_dec": count_blocks(state, "middle_blks_dec.modules_list"),
            "dec_blk_nums": [count_blocks(state, f"decoders.{i}.modules_list") for i in range(levels)],
            "dilations": DILATIONS[:branches],
            "extra_depth_wise": "middle_blks_enc.modules_list.0.extra_conv.weight" in state,
        }

    def full_precision_modules(self) -> Iterable[nn.Module]:
        """Keep all that makes, joins or transforms the features that are handed from block to block."""
        blocks = (module for module in self.modules() if isinstance(module, EBlock | DBlock))
        kept = [self.intro, self.ending, self.side_out, *self.downs, *self.ups]
        return kept + [part for block in blocks for part in block.full_precision_modules()]

    def restore(self, x: Tensor, executor: Executor) -> Tensor:
        """Restore `x` (n, 3, h, w float32) of any size to the same size; off the grid it is padded with zeros."""
        height, width = x.shape[-2:]
        right, below = -width % self.grid, -height % self.grid
        padded = F.pad(x, (0, right, 0, below)) if right or below else x  # padding by nothing copies
        light, skips = self._encode(padded, executor)
        features = self._decode(light, skips, executor)
        result: Tensor = executor.local(lambda features, x: self.ending(features) + x, features, padded, halo=1)
        return result[..., :height, :width]

    def _encode(self, x: Tensor, executor: Executor) -> tuple[Tensor, list[Tensor]]:
        """Return the features of the lowest level and those of the others, the highest first."""
        x = executor.local(self.intro, x, halo=1)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x, executor)
            skips.append(x)
            x = executor.local(down, x, grid=2)
        return self.middle_blks_enc(x, executor), skips

    def _decode(self, light: Tensor, skips: list[Tensor], executor: Executor) -> Tensor:
        x: Tensor = self.middle_blks_dec(light.clone(), executor)
        x = executor.updated(add, x, light)
        for decoder, up in zip(self.decoders, self.ups, strict=True):
            skip = skips.pop()
            x = executor.local(up, x)
            x = executor.updated(add, x, skip)
            del skip
            x = decoder(x, executor)
        return x
