"""Normalisations over channels, written so that `channels_last` tensors need no copy.

Sources: layer normalisation, Ba et al., arXiv:1607.06450; global response normalisation, Woo et al. (ConvNeXt V2),
arXiv:2301.00808. Parameter names follow https://github.com/sunny2109/SAFMN (Apache-2.0).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.execution import row_sums
from restore_cli.layers.hardware import memory_format

EPSILON = 1e-6
"""Added to what is divided by."""


class ChannelLayerNorm(nn.Module):
    """Normalise every pixel over its channels, then scale and shift each channel.

    Input and output: n, c, h, w. The channel axis is handed to the native kernel as the last one, which is a view
    where the tensor is `channels_last`; the kernel adds up in float32 whatever the tensor's dtype.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1)  # n, h, w, c
        normalised = F.layer_norm(pixels, self.weight.shape, self.weight, self.bias, EPSILON).permute(0, 3, 1, 2)
        return normalised.contiguous(memory_format=memory_format(x.device))


class GlobalResponseNorm(nn.Module):
    """Strengthen the channels whose energy over the whole picture is above the mean energy of all channels.

    Input and output: n, c, h, w. The energies are a statistic of the whole picture: a caller that holds only a part
    of it sums `channel_energy` over all parts first and passes the sum.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, dim, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, dim, 1, 1))

    def forward(self, x: Tensor, energy: Tensor | None = None) -> Tensor:
        """Normalise `x` with `energy` (n or 1, c, 1, 1; float32 or float64), measured on `x` itself when None."""
        length = (channel_energy(x) if energy is None else energy).sqrt()
        response = (length / (length.mean(dim=1, keepdim=True) + EPSILON)).to(x.dtype)  # n, c, 1, 1
        return torch.addcmul(self.beta, x, 1 + self.gamma * response)


def channel_energy(x: Tensor) -> Tensor:
    """Return the sum of squares of every channel of `x` (n, c, h, w): n, c, 1, 1, float64 where the device has it.

    Sums of parts add up.
    """
    return row_sums(x.float().square()).sum(dim=1)[:, :, None, None]


def affine_of(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift of every channel (both c) that `norm` amounts to when it is evaluated."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale
