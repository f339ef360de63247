"""What layers may ask of the device they compute on, whatever that is."""

from __future__ import annotations

import torch
from torch import Tensor


def has_float64(device: torch.device) -> bool:
    """Tell whether `device` computes in float64: Apple's do not, nor do some of Intel's, such as Arc A."""
    if device.type == "xpu":
        return bool(torch.xpu.get_device_properties(device).has_fp64)
    return device.type != "mps"


def memory_format(device: torch.device) -> torch.memory_format:
    """Return how features lie on `device`: channels_last where that is known to be fast, and right.

    On Apple's devices some versions of PyTorch convolve a part of the channels of such a tensor wrongly, without a
    word.
    """
    return torch.channels_last if device.type in ("cpu", "cuda") else torch.contiguous_format


def is_on_host_without_gradient(x: Tensor) -> bool:
    """Tell whether `x` lies on a processor and no gradient will be asked for, so that buffers may be used again."""
    return x.device.type == "cpu" and not torch.is_grad_enabled()
