"""PlainUSR, small super-resolution networks that run as plain 3x3 convolutions and local attentions.

Paper: Wang, Li, Wang, Liu: PlainUSR: Chasing Faster ConvNet for Efficient Super-Resolution, ACCV 2024,
arXiv:2409.13435. Original code: https://github.com/icandle/PlainUSR, 2024_PlainUSR_ACCV/archs (MIT). Parameter names
are the published ones, those of the form that is trained and those of the folded form, whose weights are published.

Different here: the first and the last convolution are taken apart into what they do to the features and what they do to
the picture that is carried along, which stays float32 under reduced precision; and an attention knows where a tile lies
in the whole picture, see layers/local_attention.py. So pictures need no padding: their results are the published ones.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.fused import add_convolution, convolve
from restore_cli.layers.local_attention import (
    CELL,
    RECEPTIVE_FIELD,
    FastLocalAttention,
    LocalAttention,
    Place,
    place_pixels,
)
from restore_cli.layers.repmbconv import GateChannel, RepMBConv
from restore_cli.layers.upsampler import draw, pixel_shuffle_head
from restore_cli.networks.network import Network, StateDict
from restore_cli.networks.part import Part, cut_core

HALO = 8
"""Pixels of halo for each block with a local attention, measured on all published networks: five times this, rounded up
to the grid, leaves 0.12 of a level of difference at the most; one cell less leaves 0.3."""
FOLDED, TRAINED = "weight", "expand_conv.weight"
"""What the first tensor of a convolution is called in each form."""
COLOURS = 3
"""Channels of the picture that is carried along with the features."""


class Block(nn.Module):
    """3x3 convolutions with leaky rectifiers between them, and perhaps an attention. n, channels, h, w both ways."""

    def __init__(self, channels: int, convolutions: int, attention: nn.Module | None, *, folded: bool) -> None:
        """`folded` False makes the form that is trained."""
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            convolution = nn.Conv2d(channels, channels, 3, padding=1) if folded else RepMBConv(channels)
            layers += [convolution, nn.LeakyReLU(0.05, inplace=True)]
        layers.pop()
        if attention is not None:
            layers += [attention] if folded else [GateChannel(channels), attention]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor, place: Place | None) -> Tensor:
        """Return the block's result; where no gradient is computed, it may lie in `x`."""
        features, layers = x, list(self.body)
        while layers:
            match layers:
                case [nn.Conv2d() as convolution, nn.LeakyReLU() as rectifier, *layers]:
                    x = convolve(x, convolution, rectifier)
                case [LocalAttention() as attention, *layers]:
                    x = attention(x, place, into=features)
                case [layer, *layers]:
                    x = layer(x)
        return x

    def fold(self) -> None:
        """Turn the form that is trained into the folded one."""
        layers: list[nn.Module] = []
        for layer in self.body:
            if isinstance(layer, RepMBConv):
                layers.append(layer.fold())
            elif isinstance(layer, GateChannel):
                before = layers.pop()
                assert isinstance(before, nn.Conv2d)
                layers.append(layer.fold_into(before))
            else:
                layers.append(layer)
        self.body = nn.Sequential(*layers)


class PlainUSR(Network):
    """PlainUSR: blocks that take fewer and fewer of the channels, up to the middle one, and then more again.

    The ultra form has three blocks, and a fast attention in the middle one alone: ultra and tiny. The others have five
    with a local attention each, and two convolutions (small, medium, base) or three (large).
    """

    architecture = "plainusr"
    signature = frozenset({"head.weight", "tail.0.weight"})
    pads_to_grid = False

    def __init__(
        self,
        n_feat: int = 64,
        im_feat: Sequence[int] = (64, 48, 32),
        attn_feat: int = 16,
        scale: int = 4,
        *,
        convolutions: int = 2,
        folded: bool = True,
    ) -> None:
        """`im_feat` holds the channels that each block takes, from the first to the middle one; two make it ultra.

        `attn_feat` is the inner width of local attentions, `convolutions` how many a block has. `folded` False makes
        the form that is trained.
        """
        super().__init__()
        if min(n_feat, *im_feat, attn_feat, scale) < 1:
            raise ValueError("a network has at least one channel")
        self.ultra = len(im_feat) == 2
        # bfloat16 costs the ultra form 0.04 to 0.06 dB at x2, and it is fast without; it costs the others 0.005 dB.
        self.auto_reduces = not self.ultra
        self.sees_place = not self.ultra
        self.names = _name_blocks(ultra=self.ultra)
        self.channels = [*im_feat, *im_feat[-2::-1]]
        self.n_feat = n_feat
        self.scale = scale
        self.grid = 1 if self.ultra else CELL
        convolved = len(self.names) * convolutions + 2  # what the 3x3 convolutions alone see
        self.receptive_field = convolved + (1 if self.ultra else len(self.names) * RECEPTIVE_FIELD)
        self.block_reach = convolutions + (1 if self.ultra else RECEPTIVE_FIELD)
        self.halo = self.receptive_field if self.ultra else len(self.names) * HALO
        self.bytes_per_pixel = 4 * max(5 * n_feat, n_feat + 2 * COLOURS * (scale**2 + 1))

        def attention(name: str, channels: int) -> nn.Module | None:
            if not self.ultra:
                return LocalAttention(channels, attn_feat)
            return FastLocalAttention(channels) if name == "blockm" else None

        self.head = nn.Conv2d(COLOURS, n_feat + COLOURS, 3, padding=1)
        for name, channels in zip(self.names, self.channels, strict=True):
            self.add_module(name, Block(channels, convolutions, attention(name, channels), folded=folded))
        self.tail = pixel_shuffle_head(n_feat + COLOURS, scale)

    @classmethod
    def recognises(cls, state: StateDict) -> bool:
        first = {f"blockm.body.0.{weight}" for weight in (FOLDED, TRAINED)}
        return super().recognises(state) and not first.isdisjoint(state)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        names = _name_blocks(ultra=not any(key.startswith("block3.") for key in state))
        folded = f"blockm.body.0.{FOLDED}" in state
        weight = FOLDED if folded else TRAINED
        convolutions = sum(f"blockm.body.{index}.{weight}" in state for index in (0, 2, 4))
        attention = 2 * convolutions - 1 if folded else 2 * convolutions
        return {
            "n_feat": state["head.weight"].shape[0] - COLOURS,
            "im_feat": [state[f"{name}.body.0.{weight}"].shape[1] for name in names[: len(names) // 2 + 1]],
            "attn_feat": state[f"blockm.body.{attention}.body.0.weight"].shape[0],
            "scale": math.isqrt(state["tail.0.weight"].shape[0] // COLOURS),
            "convolutions": convolutions,
            "folded": folded,
        }

    def full_precision_modules(self) -> Iterable[nn.Module]:
        return (self.head, self.tail)

    def fold(self) -> PlainUSR:
        if not any(isinstance(module, RepMBConv) for module in self.modules()):
            return self
        folded = copy.deepcopy(self)
        for block in folded.blocks():
            block.fold()
        return folded.train(self.training).requires_grad_(False)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in the order in which they are carried out."""
        for name in self.names:
            block = self.get_submodule(name)
            assert isinstance(block, Block)
            yield block

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        n, head, tail = self.n_feat, self.head, self.tail[0]
        assert isinstance(tail, nn.Conv2d)
        assert head.bias is not None
        dtype = next(self.get_submodule("blockm").parameters()).dtype
        weight, bias = head.weight[:n].to(dtype), head.bias[:n].to(dtype)
        features = F.conv2d(x.to(dtype), weight, bias, padding=1)  # n, n_feat, h, w
        picture = add_convolution(torch.zeros_like(x), x, head.weight[n:], head.bias[n:], padding=1)  # n, 3, h, w
        part = part or Part.of_whole(x)
        for index, (block, channels) in enumerate(zip(self.blocks(), self.channels, strict=True), start=1):
            place = None if self.ultra else _place(part)
            features = _replace_first(features, block(features[:, :channels], place))
            inner = part.narrowed(self.block_reach * (len(self.channels) - index) + 1, self.grid)
            features, picture, part = part.keep(features, inner), part.cut(picture, inner), inner
        of_features, of_picture = tail.weight[:, :n].to(dtype), tail.weight[:, n:]

        def make_cells(rows: slice) -> Tensor:
            cells = F.conv2d(features[:, :, rows], of_features, padding=1).to(x.dtype)  # n, 3·scale², rows, w
            return add_convolution(cells, picture[:, :, rows], of_picture, tail.bias, padding=1)

        return cut_core(draw(self.tail, picture, make_cells), part, self.scale)


def _name_blocks(*, ultra: bool) -> tuple[str, ...]:
    return ("block1", "blockm", "block2") if ultra else ("block1", "block2", "blockm", "block3", "block4")


def _place(part: Part) -> Place:
    box, whole = part.box, part.whole
    return Place(place_pixels(box.top, box.height, whole.height), place_pixels(box.left, box.width, whole.width))


def _replace_first(features: Tensor, channels: Tensor) -> Tensor:
    """Return `features` with others for their first channels; they are overwritten, except in training."""
    count = channels.shape[1]
    if count == features.shape[1]:
        return channels
    if torch.is_grad_enabled():
        return torch.cat([channels, features[:, count:]], dim=1)
    if channels.data_ptr() != features.data_ptr():
        features[:, :count] = channels
    return features
