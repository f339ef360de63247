from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from restore_cli.layers.execution import mean_of, row_sums
from restore_cli.layers.hardware import has_float64, memory_format
from restore_cli.layers.norm import channel_energy


@pytest.mark.parametrize(
    ("device", "of_intel", "expected"),
    [("cpu", False, True), ("cuda:1", False, True), ("mps", True, False), ("xpu", True, True), ("xpu:1", False, False)],
)
def test_not_all_devices_have_float64(
    device: str, of_intel: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda device: SimpleNamespace(has_fp64=of_intel))
    assert has_float64(torch.device(device)) is expected


@pytest.mark.parametrize("has_it", [True, False])
def test_sums_do_without_float64(has_it: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.layers.execution.has_float64", lambda device: has_it)
    x = torch.rand(2, 3, 40, 50).bfloat16()
    expected = torch.float64 if has_it else torch.float32
    assert row_sums(x).dtype == channel_energy(x).dtype == expected
    assert mean_of(x).dtype == torch.float32
    torch.testing.assert_close(mean_of(x), x.float().mean((2, 3), keepdim=True))
    torch.testing.assert_close(channel_energy(x), x.to(expected).square().sum((2, 3), keepdim=True))


@pytest.mark.parametrize(("device", "last"), [("cpu", True), ("cuda:1", True), ("mps", False), ("xpu", False)])
def test_channels_lie_last_where_that_is_known_to_be_right(device: str, last: bool) -> None:
    assert (memory_format(torch.device(device)) is torch.channels_last) is last
