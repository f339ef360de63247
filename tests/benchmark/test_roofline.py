"""Work of networks that can be counted by hand, and shares of a peak."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from restore_cli.benchmark.roofline import Peak, Roofline, Work, count_work, measure_peak
from restore_cli.device import Device
from restore_cli.networks import Network, Part
from restore_cli.networks.safmnpp import SAFMNPP


class Countable(Network):
    """A 3x3 convolution to 8 channels, an activation, and a product that mixes them to 3."""

    architecture = "countable"
    signature = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 1, 1, 1, 1, 44
        self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.mixer = nn.Parameter(torch.rand(8, 3))

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        features = self.convolution(x).relu()
        return (features.permute(0, 2, 3, 1).flatten(0, 2) @ self.mixer).view(*x.shape[2:], 3).permute(2, 0, 1)[None]


@pytest.mark.parametrize("bytes_per_value", [2, 4])
def test_work_is_that_of_convolutions_and_products(bytes_per_value: int) -> None:
    work = count_work(Countable(), bytes_per_value)
    assert work.flops == 2 * (27 * 8 + 8 * 3)
    values = (3 + 8) + (8 + 3)
    assert work.bytes == pytest.approx(bytes_per_value * values, rel=0.001)  # and the mixer, once for all pixels


def test_what_is_fused_counts_too() -> None:
    network = SAFMNPP().eval().requires_grad_(False)
    convolutions = sum(module.weight.numel() for module in network.modules() if isinstance(module, nn.Conv2d))
    pooled = sum(module.weight.numel() for name, module in network.named_modules() if name.endswith("dwconv"))
    interpolation = 2 * 27 * 48
    least = 2 * (convolutions - pooled)
    assert least <= count_work(network, 4).flops <= least + 2 * pooled + interpolation


def test_the_share_is_that_of_the_tighter_limit() -> None:
    roofline = Roofline(Work(flops=1000, bytes=10), Peak(flops=1e9, bytes=1e9))
    assert roofline.share(1e5) == pytest.approx(0.1)
    assert not roofline.is_bound_by_memory
    roofline = Roofline(Work(flops=1000, bytes=4000), Peak(flops=1e9, bytes=1e9))
    assert roofline.share(1e5) == pytest.approx(0.4)
    assert roofline.is_bound_by_memory


def test_a_peak_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.benchmark.roofline.MATRIX", 128)
    monkeypatch.setattr("restore_cli.benchmark.roofline.COPIED_BYTES", 1 << 20)
    peak = measure_peak(Device(torch.device("cpu"), has_bf16=False), torch.float32)
    assert peak.flops > 1e6
    assert peak.bytes > 1e6
