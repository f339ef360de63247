"""What a CUDA device is sent, with the processor and streams that do nothing in its part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.networks.safmnpp import SAFMNPP
from restore_cli.passes.transfer import CudaTransfer, Transfer
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.upscale import Upscaler

CPU = Device(torch.device("cpu"), has_bf16=False)


class Stream:
    """A stream on which everything is done at once; also the event that it was done."""

    def __init__(self, device: object = None) -> None: ...

    def wait_stream(self, other: Stream) -> None: ...

    def record_event(self) -> Stream:
        return self

    def synchronize(self) -> None: ...


@contextmanager
def stream(_: Stream) -> Iterator[None]:
    yield


def pin_memory(x: Tensor) -> Tensor:
    """Copy as torch does it, into a tensor of the same strides."""
    return torch.empty_strided(x.shape, x.stride()).copy_(x)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = torch.empty

    def pageable(*size: Any, pin_memory: bool = False, **kind: Any) -> Tensor:
        return empty(*size, **kind)

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(Tensor, "pin_memory", pin_memory)
    monkeypatch.setattr(Tensor, "record_stream", lambda x, stream: None)
    monkeypatch.setattr(torch, "empty", pageable)


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("shape", [(40, 64, 3), (40, 64, 1), (37, 50, 1)])
def test_pictures_of_any_channels_reach_a_cuda_device(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = SAFMNPP(dim=12, n_blocks=1, upscaling_factor=2).eval().requires_grad_(False)
    upscale = Upscaler(Restorer(network, CPU, precision="fp32"), Sizing(scale=2))
    picture = Picture(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    expected, _ = upscale(picture)
    monkeypatch.setattr("restore_cli.passes.tile_pass.open_transfer", lambda device: CudaTransfer(device.torch_device))
    result, _ = upscale(picture)
    assert (result.pixels == expected.pixels).all()


@pytest.mark.parametrize(("device", "last"), [("cpu", True), ("meta", False)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_tiles_arrive_as_the_device_takes_them(device: str, last: bool, layout: torch.memory_format) -> None:
    there = Transfer(torch.device(device)).upload(torch.rand(1, 3, 8, 8).contiguous(memory_format=layout))
    assert there.is_contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
