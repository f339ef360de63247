"""The two blocks of DarkIR: one corrects the light in the frequency domain, the other removes blur and noise.

Paper: Feijoo, Benito, Garcia, Conde: DarkIR: Robust Low-Light Image Restoration, CVPR 2025, arXiv:2412.13443. Original
code: https://github.com/cidautai/DarkIR, archs/arch_model.py (MIT). Parameter names are the published ones. Different
here: magnitudes are replaced by scaling the spectrum, without angles, cosines and sines; every block is written as
steps, so that a picture need not pass in one piece.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.dilated import convolve_dilated, pad_for
from restore_cli.layers.execution import IN_ONE_PIECE, Executor, Step
from restore_cli.layers.fused import add_convolution
from restore_cli.layers.norm import ChannelLayerNorm


def gate(x: Tensor) -> Tensor:
    """Multiply the first half of the channels by the second: n, 2c, h, w to n, c, h, w."""
    first, second = x.chunk(2, dim=1)
    return first * second


class FrequencyMLP(nn.Module):
    """FreMLP: new magnitudes for a spectrum, by a small perceptron over the channels of the old ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.process1 = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * channels, channels, 1),
        )

    def forward(self, spectrum: Tensor) -> Tensor:
        """Return by how much to multiply frequencies (n, c, m complex64, none zero) to give them new magnitudes."""
        real, imaginary = spectrum.real, spectrum.imag
        magnitude = (real * real).addcmul_(imaginary, imaginary).sqrt_()  # n, c, m
        widen, activation, narrow = self.process1
        return _mix_channels(activation(_mix_channels(magnitude, widen)), narrow) / magnitude


def _mix_channels(x: Tensor, convolution: nn.Module) -> Tensor:
    """Apply a 1x1 convolution to n, c, m; as a matrix product, since frequencies lie channel by channel."""
    weight, bias = convolution.weight, convolution.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    matrix = weight.flatten(1).expand(x.shape[0], -1, -1)  # n, out, in
    return torch.baddbmm(bias[:, None], matrix, x)


def convolve_pairs(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Apply a 3x3 convolution over pairs of channels; n, c, h, w both ways.

    There is no fast kernel for it, so two depthwise convolutions are added: of the channels, and of their partners.
    """
    weight, bias, pixels = convolution.weight, convolution.bias, x.permute(0, 2, 3, 1)
    first, second = pixels[..., ::2], pixels[..., 1::2]
    partners = torch.view_as_real(torch.complex(second, first)).flatten(3).permute(0, 3, 1, 2)
    channels = torch.arange(len(weight), device=weight.device)
    own, others = weight[channels, channels % 2, None], weight[channels, 1 - channels % 2, None]
    total = F.conv2d(x, own, bias, padding=1, groups=len(channels))
    return add_convolution(total, partners, others, padding=1, groups=len(channels))


def scaled_weights(convolution: nn.Conv2d, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a 1x1 convolution whose result is multiplied by `scale` (1, c, 1, 1).

    Factors cost nothing in the weights, and a pass over the features elsewhere.
    """
    assert convolution.bias is not None
    return convolution.weight * scale.transpose(0, 1), convolution.bias * scale.flatten()


class Branch(nn.Module):
    """A depthwise 3x3 convolution, dilated. n, channels, h, w both ways."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=dilation, groups=channels, dilation=dilation)
        )

    def forward(self, x: Tensor, total: Tensor | None = None) -> Tensor:
        """Return the convolution of `x`, added to `total` if there is one, which may be overwritten."""
        convolution = self.branch[0]
        weight, bias = convolution.weight, convolution.bias
        assert isinstance(weight, Tensor)
        assert isinstance(bias, Tensor)
        if self.dilation > 1 and x.device.type == "cpu" and torch.is_grad_enabled():
            convolved = convolve_dilated(x, weight, bias, self.dilation)
            return convolved if total is None else total + convolved
        groups = x.shape[1]
        x, padding = pad_for(x, self.dilation)
        if total is None:
            return F.conv2d(x, weight, bias, 1, padding, self.dilation, groups)
        return add_convolution(total, x, weight, bias, padding=padding, dilation=self.dilation, groups=groups)


class AttentiveBlock(nn.Module, ABC):
    """What both blocks begin with: dilated depthwise branches, a gate, channel attention, and a skip over them."""

    extra_conv: nn.Module
    conv1: nn.Conv2d

    def __init__(self, channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(2 * channels, dilation) for dilation in dilations)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm1 = ChannelLayerNorm(channels)
        self.norm2 = ChannelLayerNorm(channels)
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.halo = 1 + max(dilations)

    @abstractmethod
    def widen(self, x: Tensor) -> Tensor:
        """Return what the branches read (n, 2c, h, w) of normalised features (n, c, h, w)."""

    def branch_out(self, x: Tensor) -> Tensor:
        """Return the gated sum of the branches. n, c, h, w both ways."""
        x = self.widen(self.norm1(x).to(self.conv1.weight.dtype))
        total = None
        for branch in self.branches:
            total = branch(x, total)
        assert total is not None
        return gate(total)

    def full_precision_modules(self) -> Iterable[nn.Module]:
        """Name the modules that stay float32 under reduced precision."""
        return [self.norm1, self.norm2]

    def attend(self, x: Tensor, executor: Executor) -> Tensor:
        """Return `x` (n, c, h, w) with what its branches add to it; `x` may be overwritten."""
        gated = executor.pooled(self.branch_out, x, halo=self.halo)
        return executor.updated(self.attended(self.sca(gated.mean.to(gated.planes.dtype))), x, gated.planes)

    def attended(self, attention: Tensor) -> Step:
        """Return the step that adds the branches' result (n, c, h, w) to the features; `attention` is n, c, 1, 1."""
        weight, bias = scaled_weights(self.conv3, self.beta)
        if len(attention) == 1:
            weight = weight * attention
            return lambda x, gated: add_convolution(x, gated, weight, bias)
        return lambda x, gated: add_convolution(x, gated * attention, weight, bias)


class EBlock(AttentiveBlock):
    """Low-light enhancement: spatial attention, then a perceptron over the magnitudes of the spectrum.

    n, channels, h, w both ways. Where no gradient is computed, the input may be overwritten.
    """

    def __init__(self, channels: int, *, extra_depth_wise: bool = False) -> None:
        super().__init__(channels, dilations=(1,))
        self.extra_conv = (
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels) if extra_depth_wise else nn.Identity()
        )
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.freq = FrequencyMLP(channels)

    def forward(self, x: Tensor, executor: Executor = IN_ONE_PIECE) -> Tensor:
        return executor.modulated(self.attend(x, executor), self.norm2, self.gain)

    def widen(self, x: Tensor) -> Tensor:
        wide: Tensor = self.conv1(self.extra_conv(x))
        return wide

    def full_precision_modules(self) -> Iterable[nn.Module]:
        return [*super().full_precision_modules(), self.freq]

    def gain(self, spectrum: Tensor) -> Tensor:
        """Return the perceptron's gain of frequencies (n, c, m), times `gamma`."""
        gain: Tensor = self.freq(spectrum) * self.gamma[..., 0]
        return gain


class DBlock(AttentiveBlock):
    """Deblurring: branches of several dilations (Di-SpAM), then a gated feed-forward layer.

    n, channels, h, w both ways. Where no gradient is computed, the input may be overwritten.
    """

    def __init__(self, channels: int, *, dilations: Sequence[int] = (1,), extra_depth_wise: bool = False) -> None:
        super().__init__(channels, dilations)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.extra_conv = (
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=channels) if extra_depth_wise else nn.Identity()
        )
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, executor: Executor = IN_ONE_PIECE) -> Tensor:
        return executor.updated(self.mix, self.attend(x, executor))

    def widen(self, x: Tensor) -> Tensor:
        wide: Tensor = self.conv1(x)
        if isinstance(self.extra_conv, nn.Conv2d) and wide.dtype == torch.float32:
            return convolve_pairs(wide, self.extra_conv)
        wider: Tensor = self.extra_conv(wide)
        return wider

    def mix(self, x: Tensor) -> Tensor:
        """Add the feed-forward layer to `x`, pixel by pixel."""
        gated = gate(self.conv4(self.norm2(x).to(self.conv4.weight.dtype)))
        return add_convolution(x, gated, *scaled_weights(self.conv5, self.gamma))
