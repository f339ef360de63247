"""A convolution and the sum it goes into, in one pass over memory where PyTorch's processor kernels can."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_FUSED = getattr(getattr(torch.ops.mkldnn, "_convolution_pointwise_", None), "binary", None)
"""oneDNN's convolution with a sum after it, as PyTorch's own compiler calls it; absent from builds without oneDNN."""


def add_convolution(
    total: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Return `total` plus the convolution of `x`; overwrites `total` (n, c, h, w), other than in training."""
    if torch.is_grad_enabled():
        return total + F.conv2d(x, weight, bias, 1, padding, dilation, groups)
    if _FUSED is not None and total.device.type == "cpu" and total.dtype == x.dtype == weight.dtype == torch.float32:
        pairs = [[padding] * 2, [1, 1], [dilation] * 2]
        result: Tensor = _FUSED(total, x, weight, bias, *pairs, groups, "add", None, None, [], None)
        return result
    return total.add_(F.conv2d(x, weight, bias, 1, padding, dilation, groups))


def add(total: Tensor, x: Tensor) -> Tensor:
    """Return `total + x`; overwrites `total`, other than in training."""
    return total + x if torch.is_grad_enabled() else total.add_(x)
