"""Whether layers compute on a processor, and what for: ways that are fast there differ from those with gradients."""

from __future__ import annotations

import torch
from torch import Tensor


def is_on_host_with_gradient(x: Tensor) -> bool:
    """Tell whether `x` lies on a processor and a gradient will be asked for, as in training."""
    return x.device.type == "cpu" and torch.is_grad_enabled()


def is_on_host_without_gradient(x: Tensor) -> bool:
    """Tell whether `x` lies on a processor and no gradient will be asked for, so that buffers may be used again."""
    return x.device.type == "cpu" and not torch.is_grad_enabled()
