"""A convolution and what follows it, in one pass over memory where PyTorch's processor kernels can."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore_cli.layers.hardware import is_on_host_without_gradient
from restore_cli.layers.rows import divide_rows

BAND_PIXELS = 1 << 17
"""Pixels whose widest features are made at a time."""
_MKLDNN: Any = torch.ops.mkldnn
_POINTWISE = getattr(_MKLDNN, "_convolution_pointwise", None)
_SUM = getattr(getattr(_MKLDNN, "_convolution_pointwise_", None), "binary", None)
"""oneDNN's convolutions with an activation or a sum after them, as PyTorch's own compiler calls them; None in builds
without oneDNN."""


def convolve(x: Tensor, convolution: nn.Conv2d, activation: nn.GELU | nn.LeakyReLU) -> Tensor:
    """Return `activation(convolution(x))`; `x` is n, c, h, w, and the convolution pads with zeros."""
    if _POINTWISE is None or not _is_fast(x, convolution.weight):
        activated: Tensor = activation(convolution(x))
        return activated
    follows: tuple[str, list[float], str | None]
    match activation:
        case nn.GELU():
            follows = ("gelu", [], activation.approximate)
        case nn.LeakyReLU():
            follows = ("leaky_relu", [activation.negative_slope], None)
    sizes = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)
    result: Tensor = _POINTWISE(x, convolution.weight, convolution.bias, *sizes, *follows)
    return result


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
    """Return `total` plus the convolution of `x`; overwrites `total` (n, c, h, w), except in training."""
    if torch.is_grad_enabled():
        return total + F.conv2d(x, weight, bias, 1, padding, dilation, groups)
    if _SUM is not None and _is_fast(total, x, weight):
        pairs = [[padding] * 2, [1, 1], [dilation] * 2]
        result: Tensor = _SUM(total, x, weight, bias, *pairs, groups, "add", None, None, [], None)
        return result
    return total.add_(F.conv2d(x, weight, bias, 1, padding, dilation, groups))


def add_mixture(total: Tensor, x: Tensor, widen: nn.Conv2d, activation: nn.GELU, narrow: nn.Conv2d) -> Tensor:
    """Return `total + narrow(activation(widen(x)))`; overwrites `total` (n, c, h, w), except in training.

    `widen` is a 3x3 convolution that pads by 1, `narrow` a 1x1. On a processor what lies between them is made some rows
    at a time: it is the widest of all features, and memory is slow at its first touch. `total` may be `x`.
    """
    if not is_on_host_without_gradient(x):
        return add_convolution(total, convolve(x, widen, activation), narrow.weight, narrow.bias)
    before: tuple[Tensor, Tensor] | None = None
    for rows in divide_rows(x.shape[2], x.shape[3], BAND_PIXELS):
        wide = rows.crop(convolve(x[:, :, rows.around], widen, activation))
        if before:  # only now, since these rows read the last one of those
            add_convolution(*before, narrow.weight, narrow.bias)
        before = total[:, :, rows.own], wide
    assert before
    add_convolution(*before, narrow.weight, narrow.bias)
    return total


def add(total: Tensor, x: Tensor) -> Tensor:
    """Return `total + x`; overwrites `total`, except in training."""
    return total + x if torch.is_grad_enabled() else total.add_(x)


def _is_fast(first: Tensor, *others: Tensor) -> bool:
    """Tell whether oneDNN computes with these tensors, and no gradient is asked for."""
    if not is_on_host_without_gradient(first) or any(other.dtype != first.dtype for other in others):
        return False
    return first.dtype == torch.float32 or (first.dtype == torch.bfloat16 and _MKLDNN._is_mkldnn_bf16_supported())
