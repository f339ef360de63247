"""What a network has to do for a pixel, what a machine can do at the most, and how near to that a measurement comes.

The model is the roofline of Williams, Waterman, Patterson, CACM 52(4), 2009: no run is faster than its arithmetic at
the machine's peak, nor than its traffic at the machine's bandwidth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from restore_cli.device import Device
from restore_cli.networks import Network
from restore_cli.tiling import round_up

SIDE = 96
"""Pixels of the picture that work is counted on, a side; it is the same for each pixel of a larger one."""
MATRIX = 2048
"""Side of the matrices whose product tells the arithmetic peak."""
COPIED_BYTES = 1 << 28
"""Of a copy that tells the bandwidth; more than caches hold."""
TRIES = 5
PRODUCTS = frozenset({"convolution", "mm", "addmm", "bmm", "baddbmm"})
"""Operations whose traffic counts; all others can be part of them."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one input pixel takes, without the halos of tiles."""

    flops: float
    """Floating-point operations of convolutions and matrix products; Fourier transforms are not counted."""
    bytes: float
    """Least traffic: each convolution and matrix product reads its input and writes its result once, and all else is
    done on the way."""


@dataclass(frozen=True, slots=True)
class Peak:
    """What a machine reaches a second, in the precision in question."""

    flops: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Roofline:
    """A network's work beside a machine's peak."""

    work: Work
    peak: Peak

    def share(self, pixels_per_second: float) -> float:
        """Return how near to the limit a measurement comes: 1 would be the arithmetic peak or the bandwidth."""
        arithmetic = self.work.flops / self.peak.flops
        traffic = self.work.bytes / self.peak.bytes
        return pixels_per_second * max(arithmetic, traffic)

    @property
    def is_bound_by_memory(self) -> bool:
        """Whether the traffic takes longer than the arithmetic."""
        return self.work.bytes / self.peak.bytes > self.work.flops / self.peak.flops


class _TrafficMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the values that convolutions and matrix products read and write; weights of convolutions do not count."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if name in PRODUCTS:
            read = args[:1] if name == "convolution" else args
            self.values += result.numel() + sum(value.numel() for value in read if isinstance(value, Tensor))
        return result


def count_work(network: Network, bytes_per_value: int) -> Work:
    """Count what `network`, folded and in float32 on the host, does for a pixel.

    Counted is the network operation by operation, as it is trained, since operations that are joined cannot be seen.
    """
    side = round_up(SIDE, network.grid)
    with torch.enable_grad(), FlopCounterMode(display=False) as counter, _TrafficMode() as traffic:
        network(torch.rand(1, 3, side, side))
    pixels = side**2
    return Work(counter.get_total_flops() / pixels, bytes_per_value * traffic.values / pixels)


def measure_peak(device: Device, dtype: torch.dtype) -> Peak:
    """Measure the product of two large matrices and a large copy, the best of several tries."""
    factor = torch.rand(MATRIX, MATRIX, device=device.torch_device).to(dtype)
    source = torch.ones(COPIED_BYTES // dtype.itemsize, dtype=dtype, device=device.torch_device)
    target = torch.empty_like(source)
    product = _least_seconds(lambda: factor @ factor, device)
    copy = _least_seconds(lambda: target.copy_(source), device)
    return Peak(2 * MATRIX**3 / product, 2 * COPIED_BYTES / copy)


def _least_seconds(work: Callable[[], Tensor], device: Device) -> float:
    least = float("inf")
    for _ in range(TRIES):
        start = time.perf_counter()
        work().flatten()[-1].item()  # waits for the device
        least = min(least, time.perf_counter() - start)
    return least
