"""An ordinary 3x3 convolution and the batch normalisation after it.

Source: Ioffe, Szegedy: Batch Normalization, ICML 2015, arXiv:1502.03167.
"""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from restore_cli.layers.execution import Executor, Measured, Step
from restore_cli.layers.norm import affine_of


class NormedConv(nn.Module):
    """A 3x3 convolution, normalised. n, inplanes, h, w to n, outplanes, h, w."""

    halo = 1
    """Pixels around a pixel that it sees."""

    def __init__(self, inplanes: int, outplanes: int, *, folded: bool = False) -> None:
        """`folded` builds the form that `fold` returns."""
        super().__init__()
        self.folded = folded
        self.conv = nn.Conv2d(inplanes, outplanes, 3, padding=1, bias=folded)
        if not folded:
            self.bn = nn.BatchNorm2d(outplanes)

    def forward(self, x: Tensor) -> Tensor:
        filtered: Tensor = self.conv(x)
        return filtered if self.folded else self.bn(filtered)

    def fold(self) -> Self:
        """Return the same convolution with its normalisation, as evaluated, in the weights."""
        folded = type(self)(self.conv.in_channels, self.conv.out_channels, folded=True)
        scale, shift = affine_of(self.bn)
        folded.load_state_dict({"conv.weight": self.conv.weight * scale[:, None, None, None], "conv.bias": shift})
        return folded.to(shift.device, shift.dtype)

    def execute(self, x: Measured, executor: Executor, then: Step, *planes: Tensor) -> Measured:
        """Return `then(y, *planes)` for the result y of the folded form; `then` treats every pixel for itself."""
        dtype = self.conv.weight.dtype

        def step(x: Tensor, *planes: Tensor) -> Tensor:
            return then(self.conv(x.to(dtype)), *planes)

        return executor.pooled(step, x.planes, *planes, halo=self.halo)
