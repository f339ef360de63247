"""The way of tiles to a device and of their results back; on CUDA beside the computing, not between it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.layers.hardware import memory_format

Download = Callable[[], list[Tensor]]
"""Waits until tensors are on the host, and returns them."""


class Transfer:
    """Copies tensors to a device and back, and waits for each copy."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def upload(self, x: Tensor) -> Tensor:
        """Return `x` (n, c, h, w on the host) on the device, in the memory format that it takes."""
        return x.to(self.device).contiguous(memory_format=memory_format(self.device))

    def download(self, results: Sequence[Tensor]) -> Download:
        """Begin to bring `results` to the host."""
        there = [result.cpu() for result in results]
        return lambda: there


class CudaTransfer(Transfer):
    """Copies out of and into pinned memory, by streams of its own, while the device computes."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        streams: list[Any] = [torch.cuda.Stream(device) for _ in range(2)]  # type: ignore[no-untyped-call]
        self._up, self._down = streams

    def upload(self, x: Tensor) -> Tensor:
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._up):
            there = x.contiguous().pin_memory().to(self.device, non_blocking=True)  # grey is three views of one plane
        computing.wait_stream(self._up)
        there.record_stream(computing)
        return there.contiguous(memory_format=torch.channels_last)

    def download(self, results: Sequence[Tensor]) -> Download:
        whole = [result.contiguous() for result in results]
        self._down.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._down):
            there = [torch.empty(result.shape, dtype=result.dtype, device="cpu", pin_memory=True) for result in whole]
            for host, result in zip(there, whole, strict=True):
                host.copy_(result, non_blocking=True)
                result.record_stream(self._down)
        arrived = self._down.record_event()

        def wait() -> list[Tensor]:
            arrived.synchronize()
            return there

        return wait


def open_transfer(device: Device) -> Transfer:
    """Return the best way to `device`."""
    kind = CudaTransfer if device.torch_device.type == "cuda" else Transfer
    return kind(device.torch_device)
