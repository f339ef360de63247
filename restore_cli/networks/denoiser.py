"""A small denoiser built of split and switchable atrous convolutions, blind to how strong the noise is.

This project's own (Apache-2.0), from published parts: the residual learning of DnCNN (Zhang et al., TIP 2017,
arXiv:1608.03981) at the reduced resolution of FFDNet (Zhang et al., TIP 2018, arXiv:1710.04026), with the convolutions
SPConv (Zhang et al., IJCAI 2020, arXiv:2006.12085) and SAConv (Qiao et al., CVPR 2021, arXiv:2006.02334), whose
averages over the whole picture tell how noisy it is. It is trained with batch normalisation and standardised weights,
and that is the form of its state dict; for inference both are folded, see `Denoiser.fold`.

Why two SAConv among SPConv: after 2,500 steps of training at width 48, with one seed, held-out photographs stand at
31.17 dB, and at 31.09 dB with plain convolutions, which take 0.93 of the time. A third SAConv adds 0.01 dB, a single
one in first place costs 0.17 dB. In turn with SPConv they take 1.3 times as long, or lose 0.2 to 0.3 dB where they are
divided into groups.

Why the weights in the package have plain convolutions between those two: where a processor multiplies matrices in
hardware, SPConv saves nothing. At width 96 a step of training takes 0.17 s on a core with AMX, and 0.34 s where all ten
others are SPConv.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.execution import Executor, Measured
from restore_cli.layers.hardware import memory_format
from restore_cli.layers.normed_conv import NormedConv
from restore_cli.layers.saconv import SAConv2d
from restore_cli.layers.spconv import SPConv
from restore_cli.networks.network import StateDict, SteppedNetwork, count_blocks
from restore_cli.networks.part import Part, cut_core

Kind = Literal["plain", "sp", "sa"]
"""Of a convolution: an ordinary 3x3 one, SPConv or SAConv."""
Convolution = NormedConv | SPConv | SAConv2d
MIXTURE: tuple[Kind, ...] = ("sp", "sa", "sp", "sp", "sp", "sp", "sp", "sa")
"""What a denoiser is made of by default."""
MARKS: dict[str, Kind] = {"conv.weight": "plain", "gwc.weight": "sp", "switch.weight": "sa"}
"""Keys of a state dict by which each kind is recognised."""
SMALLEST_SIDE = 4
"""Pixels that features need a side, for the reflected border of SAConv's switch."""
SMALL_GAIN = 0.1
"""Scale at which a block's result enters the skip at first."""


class ResidualBlock(nn.Module):
    """Two convolutions with a ReLU between them, and a skip over both. n, width, h, w both ways."""

    def __init__(self, first: Convolution, second: Convolution) -> None:
        super().__init__()
        self.first = first
        self.second = second
        for norm in second.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.constant_(norm.weight, SMALL_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.second(F.relu(self.first(x)))
        return x + added

    def execute(self, x: Measured, executor: Executor) -> Measured:
        """Return what `forward` does, by steps; the block is folded."""
        hidden = self.first.execute(x, executor, F.relu_)
        return self.second.execute(hidden, executor, torch.add, x.planes)

    def fold(self) -> ResidualBlock:
        """Return the same block with its normalisations in the weights."""
        return ResidualBlock(self.first.fold(), self.second.fold())


class Denoiser(SteppedNetwork):
    """Residual blocks of any mixture of convolutions, at full or reduced resolution, that predict the noise."""

    architecture = "denoiser"
    signature = frozenset({"intro.weight", "ending.weight"})

    def __init__(
        self,
        width: int = 64,
        *,
        kinds: Sequence[Kind] = MIXTURE,
        shrink: int = 2,
        sa_groups: int = 1,
        folded: bool = False,
    ) -> None:
        """`kinds` names the convolutions one after the other, two of them to a block.

        Before the blocks, squares of `shrink` by `shrink` pixels are stacked into one. `sa_groups` divides the channels
        of every SAConv, up to `width`. `folded` builds the form that `fold` returns.
        """
        super().__init__()
        if not kinds or len(kinds) % 2 or min(width, shrink, sa_groups) < 1:
            raise ValueError("blocks have two convolutions each, and all sizes are positive")
        self.scale = 1
        self.grid = SMALLEST_SIDE * shrink
        self.shrink = shrink
        self.folded = folded
        self.bytes_per_pixel = 4 * (4 * width // shrink**2 + 6)  # features thrice and what is made of them, the picture
        channels = 3 * shrink**2

        def convolution(kind: Kind) -> Convolution:
            match kind:
                case "plain":
                    return NormedConv(width, width, folded=folded)
                case "sp":
                    return SPConv(width, width, folded=folded)
                case "sa":
                    return SAConv2d(width, width, groups=sa_groups, folded=folded)

        pairs = zip(kinds[::2], kinds[1::2], strict=True)
        self.intro = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ResidualBlock(convolution(first), convolution(second)) for first, second in pairs)
        )
        self.ending = nn.Conv2d(width, channels, 3, padding=1)
        self._begin_with_the_picture(channels)

    @classmethod
    def recognises(cls, state: StateDict) -> bool:
        return super().recognises(state) and any(f"blocks.0.first.{mark}" in state for mark in MARKS)

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        width, channels = state["intro.weight"].shape[:2]
        places = [f"blocks.{i}.{place}" for i in range(count_blocks(state, "blocks")) for place in ("first", "second")]
        kinds = [_kind_of(state, place) for place in places]
        filters = {state[f"{place}.weight"].shape[1] for place, kind in zip(places, kinds, strict=True) if kind == "sa"}
        return {
            "width": width,
            "kinds": kinds,
            "shrink": math.isqrt(channels // 3),
            "sa_groups": width // min(filters, default=width),
            "folded": not any(".bn" in key for key in state),
        }

    def fold(self) -> Self:
        """Return the same network with all normalisations, as evaluated, in the weights, for inference."""
        if self.folded:
            return self
        folded = copy.deepcopy(self)
        folded.blocks = nn.Sequential(*(block.fold() for block in self._blocks()))
        folded.folded = True
        return folded.eval().requires_grad_(False)

    def full_precision_modules(self) -> Iterable[nn.Module]:
        """Keep what makes the features that the skips hand on, and the result; and what averages are mixed by."""
        switched = [module for module in self.modules() if isinstance(module, SAConv2d)]
        contexts = [context for module in switched for context in (module.pre_context, module.post_context)]
        return [self.intro, self.ending, *contexts]

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        """Restore `x` (n, 3, h, w) of sides on the grid; unlike `restore`, this can be trained."""
        if self.folded:
            return super().forward(x, part)
        picture = self._shrunk(x)
        features = self.blocks(self.intro(picture))  # n, width, h / shrink, w / shrink
        return cut_core(F.pixel_shuffle(picture - self.ending(features), self.shrink), part, self.scale)

    def restore(self, x: Tensor, executor: Executor) -> Tensor:
        """Restore `x` (n, 3, h, w) of sides on the grid, by the steps of the folded network."""
        if not self.folded:
            return self.fold().restore(x, executor)
        picture = self._shrunk(x)
        features = executor.pooled(self.intro, picture, halo=1)
        for block in self._blocks():
            features = block.execute(features, executor)
        cleaned = executor.local(lambda f, picture: picture - self.ending(f), features.planes, picture, halo=1)
        return F.pixel_shuffle(cleaned, self.shrink)

    @torch.no_grad()
    def _begin_with_the_picture(self, channels: int) -> None:
        """Start from features that hold the picture itself, and a result that is the picture; learning is faster."""
        nn.init.dirac_(self.intro.weight[:channels])
        nn.init.zeros_(self.ending.weight)
        for convolution in (self.intro, self.ending):
            assert convolution.bias is not None
            nn.init.zeros_(convolution.bias)

    def _blocks(self) -> Iterator[ResidualBlock]:
        for block in self.blocks:
            assert isinstance(block, ResidualBlock)
            yield block

    def _shrunk(self, x: Tensor) -> Tensor:
        """Stack squares of pixels: n, 3·shrink², h / shrink, w / shrink."""
        return F.pixel_unshuffle(x, self.shrink).contiguous(memory_format=memory_format(x.device))


def _kind_of(state: StateDict, place: str) -> Kind:
    for mark, kind in MARKS.items():
        if f"{place}.{mark}" in state:
            return kind
    raise KeyError(f"{place}.weight")
