"""Switchable atrous convolution: every pixel mixes a near and a far view of its surroundings.

Paper: Qiao, Chen, Yuille: DetectoRS: Detecting Objects with Recursive Feature Pyramid and Switchable Atrous
Convolution, CVPR 2021, arXiv:2006.02334. Original code: https://github.com/joe-siyuan-qiao/DetectoRS,
mmdet/ops/conv_ws.py and saconv.py (Apache-2.0). Parameter names are the published ones; those of the normalisation
after the convolution are `bn`. Different here: there is no bias, which the published code does not add either; the
convolution can be folded into a form that standardises and normalises nothing; and its steps compute the switch before
the 5x5 average, which is the same since both are linear.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.execution import Executor, Measured, Step, mean_in_float32
from restore_cli.layers.norm import affine_of

FAR = 3
"""Dilation of the far view."""
NEIGHBOURHOOD = 5
"""Side of the square over which the switch averages."""
BORDER = [NEIGHBOURHOOD // 2] * 4
"""Pixels that are reflected on each side for it."""
EPSILON = 1e-5
"""Added to the variance of a filter."""
NEARLY_ZERO = 1e-12
"""Stands in for a scale of zero, by which a mean cannot be divided."""


class SAConv2d(nn.Module):
    """A 3x3 convolution with dilations 1 and 3 and a switch between them, global contexts before and after it.

    n, in_channels, h, w to n, out_channels, h / stride, w / stride (rounded up); both sides at least 3.
    """

    weight_gamma: Tensor
    weight_beta: Tensor
    halo = FAR
    """Pixels around a pixel that it sees, apart from the global contexts."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, groups: int = 1, folded: bool = False
    ) -> None:
        """`folded` builds the form that `fold` returns."""
        super().__init__()
        self.stride = stride
        self.groups = groups
        self.folded = folded
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, 3, 3))
        self.weight_diff = nn.Parameter(torch.zeros_like(self.weight))
        self.switch = nn.Conv2d(in_channels, 1, 1, stride)
        self.pre_context = nn.Conv2d(in_channels, in_channels, 1)
        self.post_context = nn.Conv2d(out_channels, out_channels, 1)
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        nn.init.zeros_(self.switch.weight)
        nn.init.ones_(self.switch.bias)  # type: ignore[arg-type]
        for context in (self.pre_context, self.post_context):
            nn.init.zeros_(context.weight)
            nn.init.zeros_(context.bias)  # type: ignore[arg-type]
        if not folded:
            self.register_buffer("weight_gamma", torch.empty(out_channels, 1, 1, 1))
            self.register_buffer("weight_beta", torch.empty(out_channels, 1, 1, 1))
            self.bn = nn.BatchNorm2d(out_channels)
            self._keep_the_weight()

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x`, rounding as the published code does: the same operations in the same order."""
        x = x + self.pre_context(mean_in_float32(x)).to(x.dtype)
        # n, 1, h / stride, w / stride
        switch = self.switch(F.avg_pool2d(F.pad(x, BORDER, mode="reflect"), NEIGHBOURHOOD, 1))
        seen_near, seen_far = self._look(x, *self.filters())
        mixed = switch * seen_near + (1 - switch) * seen_far
        mixed = mixed + self.post_context(mean_in_float32(mixed)).to(mixed.dtype)
        normed: Tensor = mixed if self.folded else self.bn(mixed)
        return normed

    def filters(self) -> tuple[Tensor, Tensor]:
        """Return the weights of the near and of the far convolution."""
        near: Tensor = self.weight
        if not self.folded:
            mean, deviation = _statistics(near)
            near = (near - mean) / deviation * self.weight_gamma + self.weight_beta
        return near, near + self.weight_diff

    def mix(self, x: Tensor, near: Tensor, far: Tensor) -> Tensor:
        """Convolve `x` (n, in_channels, h, w) with both weights and let the switch choose, without the contexts.

        The switch is computed before its average, on one channel instead of all.
        """
        assert self.switch.bias is not None
        votes = (x.permute(0, 2, 3, 1) @ self.switch.weight.flatten())[:, None]  # n, 1, h, w
        switch = average(votes, self.stride) + self.switch.bias  # n, 1, h / stride, w / stride
        seen_near, seen_far = self._look(x, near, far)
        return torch.lerp(seen_far, seen_near, switch.to(seen_far.dtype))

    def fold(self) -> Self:
        """Return the same convolution with standardised weights, and with the normalisation, as evaluated, in them."""
        folded = type(self)(
            self.pre_context.in_channels,
            self.post_context.in_channels,
            stride=self.stride,
            groups=self.groups,
            folded=True,
        )
        near, far = self.filters()
        scale, shift = affine_of(self.bn)
        scale = torch.where(scale.abs() < NEARLY_ZERO, NEARLY_ZERO, scale)
        state = self.state_dict()
        weights = {name: state[name] for name in folded.state_dict()} | {
            "weight": near * scale[:, None, None, None],
            "weight_diff": (far - near) * scale[:, None, None, None],
            "post_context.weight": self.post_context.weight * (scale[:, None] / scale)[:, :, None, None],
            "post_context.bias": self.post_context.bias * scale + shift,  # type: ignore[operator]
        }
        folded.load_state_dict(weights)
        return folded.to(self.weight.device, self.weight.dtype)

    def execute(self, x: Measured, executor: Executor, then: Step, *planes: Tensor) -> Measured:
        """Return `then(y, *planes)` for the result y of the folded form, y or the first of `planes` overwritten.

        `then` treats every pixel for itself.
        """
        near, far = self.filters()
        context = self.pre_context(x.mean).to(near.dtype)
        mixed = executor.pooled(lambda x: self.mix(x.to(near.dtype) + context, near, far), x.planes, halo=self.halo)
        shift = self.post_context(mixed.mean).to(near.dtype)
        if not planes:
            return executor.updated_and_pooled(lambda mixed: then(mixed.add_(shift)), mixed.planes)
        return executor.updated_and_pooled(
            lambda plane, mixed, *others: then(mixed + shift, plane, *others), planes[0], mixed.planes, *planes[1:]
        )

    def _look(self, x: Tensor, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve `x` with both weights: twice n, out_channels, h / stride, w / stride."""
        return (
            F.conv2d(x, near, None, self.stride, 1, 1, self.groups),
            F.conv2d(x, far, None, self.stride, FAR, FAR, self.groups),
        )

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, local_metadata: Any, strict: bool, *reports: list[str]
    ) -> None:
        """Load as modules do; weights of a plain convolution, which lack `weight_gamma` and `weight_beta`, stay."""
        plain = not self.folded and f"{prefix}weight_gamma" not in state_dict
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, *reports)
        if plain:
            self._keep_the_weight()
            missing = reports[0]
            missing[:] = [key for key in missing if key not in (f"{prefix}weight_gamma", f"{prefix}weight_beta")]

    @torch.no_grad()
    def _keep_the_weight(self) -> None:
        """Give every filter the mean and deviation it has, so that standardising leaves the weight as it is."""
        mean, deviation = _statistics(self.weight)
        self.weight_beta.copy_(mean)
        self.weight_gamma.copy_(deviation)


def average(votes: Tensor, stride: int) -> Tensor:
    """Average `votes` (n, 1, h, w) over squares of pixels, the border reflected; n, 1, h / stride, w / stride.

    Sums of shifted rows and columns: the pooling kernel takes ten times as long with a single channel.
    """
    height, width = votes.shape[2:]
    padded = F.pad(votes, BORDER, mode="reflect")
    rows = reduce(torch.add, (padded[:, :, i : i + height : stride] for i in range(NEIGHBOURHOOD)))
    return reduce(torch.add, (rows[..., i : i + width : stride] for i in range(NEIGHBOURHOOD))) / NEIGHBOURHOOD**2


def _statistics(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of every filter: out, 1, 1, 1."""
    mean = weight.mean(dim=1, keepdim=True).mean(dim=2, keepdim=True).mean(dim=3, keepdim=True)
    variance = (weight - mean).flatten(1).var(1)[:, None, None, None]
    return mean, (variance + EPSILON).sqrt()
