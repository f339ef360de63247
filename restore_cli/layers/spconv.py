"""Split convolution: a part of the channels is filtered thoroughly, the rest only mixed.

Paper: Zhang, Jiang, Lu, Han, et al.: Split to Be Slim: An Overlooked Redundancy in Vanilla Convolution, IJCAI 2020,
arXiv:2006.12085. Original code: https://github.com/qiulinzhang/SPConv.pytorch (no licence stated; this is written from
the paper). Parameter names are the published ones. Different here: for inference the normalisations are folded, and
the averages by which both parts are weighed are taken from the input instead of the results, so that one pass over it
is enough.
"""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.execution import Executor, Measured, Step, mean_of
from restore_cli.layers.fused import add_convolution
from restore_cli.layers.norm import affine_of

GROUPS = 2
"""Of the group-wise convolution, as published."""


class SPConv(nn.Module):
    """A 3x3 convolution of the representative channels, group-wise plus point-wise, and a 1x1 one of the others.

    n, inplanes, h, w to n, outplanes, h / stride, w / stride; with stride 2 both sides must be even. Both results are
    weighed by a softmax over their averages, channel by channel.
    """

    halo = 1
    """Pixels around a pixel that it sees, apart from the averages."""

    def __init__(
        self,
        inplanes: int,
        outplanes: int,
        *,
        stride: int = 1,
        representative: int | None = None,
        folded: bool = False,
    ) -> None:
        """`representative` of the channels, half of them by default; `folded` builds the form that `fold` returns."""
        super().__init__()
        self.stride = stride
        self.folded = folded
        self.split = inplanes // 2 if representative is None else representative
        self.gwc = nn.Conv2d(self.split, outplanes, 3, stride, 1, groups=GROUPS, bias=False)
        self.pwc = nn.Conv2d(self.split, outplanes, 1, bias=folded)
        self.conv1x1 = nn.Conv2d(inplanes - self.split, outplanes, 1)
        if not folded:
            self.bn1 = nn.BatchNorm2d(outplanes)
            self.bn2 = nn.BatchNorm2d(outplanes)

    def forward(self, x: Tensor) -> Tensor:
        representative, uncertain = x.tensor_split((self.split,), dim=1)
        filtered = self.gwc(representative)
        if self.stride > 1:
            representative, uncertain = (F.avg_pool2d(part, self.stride) for part in (representative, uncertain))
        filtered = filtered + self.pwc(representative)  # n, outplanes, h / stride, w / stride
        mixed = self.conv1x1(uncertain)  # the same
        if not self.folded:
            filtered, mixed = self.bn1(filtered), self.bn2(mixed)
        shares = torch.stack([mean_of(filtered), mean_of(mixed)]).softmax(dim=0).to(x.dtype)  # 2, n, outplanes, 1, 1
        joined: Tensor = shares[0] * filtered + shares[1] * mixed
        return joined

    def fold(self) -> Self:
        """Return the same convolution with its normalisations, as evaluated, in the weights."""
        folded = type(self)(
            self.split + self.conv1x1.in_channels,
            self.gwc.out_channels,
            stride=self.stride,
            representative=self.split,
            folded=True,
        )
        scale, shift = affine_of(self.bn1)
        scale1x1, shift1x1 = affine_of(self.bn2)
        assert self.conv1x1.bias is not None
        folded.load_state_dict(
            {
                "gwc.weight": self.gwc.weight * scale[:, None, None, None],
                "pwc.weight": self.pwc.weight * scale[:, None, None, None],
                "pwc.bias": shift,
                "conv1x1.weight": self.conv1x1.weight * scale1x1[:, None, None, None],
                "conv1x1.bias": self.conv1x1.bias * scale1x1 + shift1x1,
            }
        )
        return folded.to(shift.device, shift.dtype)

    def execute(self, x: Measured, executor: Executor, then: Step, *planes: Tensor) -> Measured:
        """Return `then(y, *planes)` for the result y of the folded form; `then` treats every pixel for itself."""
        step = self.joined(self.shares(x, executor))
        return executor.pooled(lambda x, *planes: then(step(x), *planes), x.planes, *planes, halo=self.halo)

    def shares(self, x: Measured, executor: Executor) -> Tensor:
        """Return the shares of both parts of the folded form (2, n, outplanes, 1, 1), whose input has stride 1."""
        representative, uncertain = x.mean.tensor_split((self.split,), dim=1)
        windows = window_means(Measured(x.planes[:, : self.split], representative), executor)
        filtered = F.conv2d(windows, self.gwc.weight.to(windows.dtype), groups=GROUPS)
        filtered = filtered + mix_means(representative, self.pwc)
        return torch.stack([filtered, mix_means(uncertain, self.conv1x1)]).softmax(dim=0)

    def joined(self, shares: Tensor) -> Step:
        """Return the folded form as a step, both parts weighed by `shares`: n, inplanes, h, w to n, outplanes, h, w."""
        dtype = self.gwc.weight.dtype
        shares = shares.to(dtype)
        if shares.shape[1] > 1:
            return lambda x: self._join(x.to(dtype), shares)
        own, others = shares[:, 0]  # outplanes, 1, 1 each
        filters = self.gwc.weight * own[..., None]
        mixers = torch.cat([self.pwc.weight * own[..., None], self.conv1x1.weight * others[..., None]], dim=1)
        assert self.pwc.bias is not None
        assert self.conv1x1.bias is not None
        bias = self.pwc.bias * own.flatten() + self.conv1x1.bias * others.flatten()

        def step(x: Tensor) -> Tensor:
            x = x.to(dtype)
            return add_convolution(F.conv2d(x, mixers, bias), x[:, : self.split], filters, padding=1, groups=GROUPS)

        return step

    def _join(self, x: Tensor, shares: Tensor) -> Tensor:
        representative, uncertain = x.tensor_split((self.split,), dim=1)
        filtered = self.gwc(representative) + self.pwc(representative)
        joined: Tensor = shares[0] * filtered + shares[1] * self.conv1x1(uncertain)
        return joined


def window_means(x: Measured, executor: Executor) -> Tensor:
    """Return the mean of what each weight of a 3x3 convolution with a border of zeros meets: n, c, 3, 3.

    The upper left weight meets all but the last row and the last column, and so on. Columns are read by a step: where
    planes lie in a scratch file, a pixel of every row would bring most of it into memory.
    """
    height, width = x.planes.shape[2:]
    precise = x.mean.dtype

    rows = x.planes[:, :, [-1, 0]].to(x.mean.device, precise)  # n, c, 2, w
    columns = executor.local(lambda planes: planes[..., [-1, 0]], x.planes).to(x.mean.device, precise)  # n, c, h, 2
    zero = torch.zeros_like(x.mean[..., 0, 0])
    below, above = rows.sum(3).unbind(2)  # n, c each
    right, left = columns.sum(2).unbind(2)
    left_out = torch.stack([below, zero, above], dim=2)[..., None] + torch.stack([right, zero, left], dim=2)[:, :, None]
    corners = torch.zeros_like(left_out)
    corners[:, :, ::2, ::2] = rows[..., [-1, 0]]
    return x.mean - (left_out - corners) / (height * width)


def mix_means(means: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Apply a 1x1 convolution to means (n, c, 1, 1) in their precision."""
    assert convolution.bias is not None
    return F.conv2d(means, convolution.weight.to(means.dtype), convolution.bias.to(means.dtype))
