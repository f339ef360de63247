"""Depthwise 3x3 convolutions that are dilated, with gradients as fast as the convolution itself.

oneDNN has no kernel of its own for those gradients: its substitute took six tenths of a step of training, and gave NaN
in bfloat16 now and then.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

WIDEST_FAST_BORDER = 4
"""Pixels of zeros that oneDNN's depthwise kernel is known to add by itself; 9 are too many for it."""


def convolve_dilated(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """Return the depthwise convolution of `x` (n, c, h, w) by `weight` (c, 1, 3, 3), of the same size.

    What lies outside of `x` is zero. The gradients are those of `F.conv2d`; they have no gradient themselves.
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    result: Tensor = _Dilated.apply(x, weight, bias, dilation)  # type: ignore[no-untyped-call]
    return result


def pad_for(x: Tensor, dilation: int) -> tuple[Tensor, int]:
    """Return `x` with a border of zeros, where oneDNN's kernel takes none that wide, and the border that is left to it.

    The kernel that stands in is three times as slow.
    """
    return (pad_with_zeros(x, dilation), 0) if dilation > WIDEST_FAST_BORDER else (x, dilation)


def pad_with_zeros(x: Tensor, border: int) -> Tensor:
    """Add a border of zeros around `x` (n, c, h, w, channels_last); writes each value once, unlike `F.pad`."""
    n, c, h, w = x.shape
    pixels = x.new_empty(n, h + 2 * border, w + 2 * border, c)
    for edge in (slice(None, border), slice(-border, None)):
        pixels[:, edge] = 0
        pixels[:, :, edge] = 0
    pixels[:, border:-border, border:-border] = x.permute(0, 2, 3, 1)
    return pixels.permute(0, 3, 1, 2)


class _Dilated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _convolve(x, weight, bias, dilation)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_input = _convolve(gradient, weight.flip(2, 3), None, ctx.dilation)
        of_weight = _gradient_of_weight(x, gradient, ctx.dilation).view_as(weight)
        of_bias = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return of_input, of_weight, of_bias, None


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    padded, border = pad_for(x, dilation)
    return F.conv2d(padded, weight, bias, 1, border, dilation, groups=x.shape[1])


def _gradient_of_weight(x: Tensor, gradient: Tensor, dilation: int) -> Tensor:
    """Return c, 9: the sums over pixels of the gradient times what each weight of the kernel was multiplied by."""
    seen, gradient = pad_with_zeros(x, dilation).permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)
    height, width = gradient.shape[1:3]
    places = [(dilation * row, dilation * column) for row in range(3) for column in range(3)]
    products = (seen[:, top : top + height, left : left + width] * gradient for top, left in places)
    return torch.stack([product.sum((0, 1, 2)) for product in products], dim=1)
