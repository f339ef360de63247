"""What layers may ask of the device they compute on, whatever that is."""

from __future__ import annotations

import torch


def has_float64(device: torch.device) -> bool:
    """Tell whether `device` computes in float64: Apple's do not, nor do some of Intel's, such as Arc A."""
    if device.type == "xpu":
        return bool(torch.xpu.get_device_properties(device).has_fp64)
    return device.type != "mps"
