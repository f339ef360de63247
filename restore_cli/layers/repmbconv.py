"""Re-parameterised inverted bottlenecks: blocks that are trained wide and run as one plain 3x3 convolution.

Paper: Wang, Li, Wang, Liu: PlainUSR: Chasing Faster ConvNet for Efficient Super-Resolution, ACCV 2024,
arXiv:2409.13435. Original code: https://github.com/icandle/PlainUSR (MIT). Parameter names are the published ones.
Different here: kernels are folded in float64, and a block folds into a new convolution instead of replacing itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXPANSION = 2
"""Width of a block's middle, in widths of its ends."""


class LearnedScale(nn.Module):
    """Scale channels by factors that are learned through a small perceptron, whatever the picture is. n, c, h, w."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tensor = nn.Parameter(torch.full((1, channels, 1, 1), 0.1))
        self.se = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, channels // 4, bias=False),
            nn.SiLU(),
            nn.Linear(channels // 4, channels, bias=False),
            nn.Sigmoid(),
        )

    def factors(self) -> Tensor:
        """Return the factor of every channel (c), 0 to 1."""
        factors: Tensor = self.se(self.tensor)[0]
        return factors

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors()[:, None, None]


class RepMBConv(nn.Module):
    """Widen, filter and narrow, with a skip around the filter and one around all. n, channels, h, w both ways."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.expand_conv = nn.Conv2d(channels, wide, 1)
        self.fea_conv = nn.Conv2d(wide, wide, 3)
        self.reduce_conv = nn.Conv2d(wide, channels, 1)
        self.se = LearnedScale(wide)

    def forward(self, x: Tensor) -> Tensor:
        # Padded before it is widened: around the picture lies what the first convolution makes of zeros.
        wide = self.expand_conv(F.pad(x, (1, 1, 1, 1)))  # n, wide, h + 2, w + 2
        filtered = self.se(self.fea_conv(wide)) + wide[..., 1:-1, 1:-1]  # n, wide, h, w
        narrow: Tensor = self.reduce_conv(filtered)
        return narrow + x

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """Return the 3x3 convolution, padded with zeros, that equals this block."""
        (expand, expand_bias), (middle, middle_bias), (reduce, reduce_bias) = (
            _in_float64(conv) for conv in (self.expand_conv, self.fea_conv, self.reduce_conv)
        )
        factors = self.se.factors().double()
        middle, middle_bias = _with_skip(middle * factors[:, None, None, None]), middle_bias * factors
        kernel = torch.einsum("om,mnyx,ni->oiyx", reduce[..., 0, 0], middle, expand[..., 0, 0])
        bias = reduce[..., 0, 0] @ (middle.sum(dim=(2, 3)) @ expand_bias + middle_bias) + reduce_bias
        return _convolution(_with_skip(kernel), bias)


class GateChannel(nn.Module):
    """Replace the first channel by a mixture of all; the attention after it gates by that one. n, channels, h, w."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv(x), x[:, 1:]], dim=1)

    @torch.no_grad()
    def fold_into(self, before: nn.Conv2d) -> nn.Conv2d:
        """Return the convolution that equals `before` with this after it."""
        (kernel, bias), (mixture, mixture_bias) = _in_float64(before), _in_float64(self.conv)
        first = torch.einsum("om,miyx->oiyx", mixture[..., 0, 0], kernel)
        first_bias = mixture[..., 0, 0] @ bias + mixture_bias
        return _convolution(torch.cat([first, kernel[1:]]), torch.cat([first_bias, bias[1:]]))


def _in_float64(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    assert conv.bias is not None
    return conv.weight.double(), conv.bias.double()


def _with_skip(kernel: Tensor) -> Tensor:
    """Add the identity to a 3x3 kernel (c, c, 3, 3)."""
    identity = torch.zeros_like(kernel)
    identity[:, :, 1, 1].fill_diagonal_(1)
    return kernel + identity


def _convolution(kernel: Tensor, bias: Tensor) -> nn.Conv2d:
    """Return a padded 3x3 convolution with these values, in float32."""
    conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, device=kernel.device)
    conv.weight.copy_(kernel)
    assert conv.bias is not None
    conv.bias.copy_(bias)
    return conv
