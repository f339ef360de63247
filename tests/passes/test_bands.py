"""Steps on bands of rows: the same numbers as in one piece, smaller bands where memory runs out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import DeviceError
from restore_cli.layers.execution import IN_ONE_PIECE, mean_of
from restore_cli.passes.bands import InBands, by_channel, by_pixel

HOST = torch.device("cpu")
CPU = Device(HOST, has_bf16=False)


def bands(pixels: int) -> InBands:
    return InBands(CPU, home=HOST, pixels=pixels)


def planes(channels: int = 4, height: int = 37, width: int = 20) -> Tensor:
    torch.manual_seed(3)
    return torch.rand(1, channels, height, width).contiguous(memory_format=torch.channels_last)


def blur(x: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2)


@pytest.mark.parametrize("pixels", [1, 20, 61, 300, 10_000])
def test_local_steps(pixels: int) -> None:
    x = planes()
    assert torch.allclose(bands(pixels).local(blur, x, halo=2), blur(x), atol=1e-6)
    assert not torch.allclose(bands(20).local(blur, x, halo=1), blur(x), atol=1e-6)


@pytest.mark.parametrize("pixels", [1, 100, 10_000])
def test_steps_may_change_size_and_channels(pixels: int) -> None:
    x = planes(height=36)
    smaller = bands(pixels).local(lambda x: x[:, :3, ::2, ::2], x, grid=2)
    assert torch.equal(smaller, x[:, :3, ::2, ::2])
    larger = bands(pixels).local(lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3), x)
    assert torch.equal(larger, x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("pixels", [1, 100, 10_000])
def test_means_are_of_the_whole(pixels: int) -> None:
    x = planes()
    result = bands(pixels).pooled(blur, x, halo=2)
    assert torch.allclose(result.planes, blur(x), atol=1e-6)
    assert torch.allclose(result.mean, blur(x).mean((2, 3), keepdim=True), atol=1e-6)
    again = bands(pixels).updated_and_pooled(torch.add, x.clone(), x)
    assert torch.equal(again.planes, 2 * x)
    assert torch.equal(again.mean, mean_of(2 * x)), "to the bit, however many bands there are"


@pytest.mark.parametrize("pixels", [1, 100, 10_000])
def test_updates_and_modulations_equal_those_in_one_piece(pixels: int) -> None:
    x, other = planes(), planes(height=37) + 1
    expected = IN_ONE_PIECE.updated(torch.mul, x, other)
    assert torch.allclose(bands(pixels).updated(torch.mul, x.clone(), other), expected, atol=1e-6)

    def gain(frequencies: Tensor) -> Tensor:
        return 1 / (1 + frequencies.abs().sum(dim=1, keepdim=True)).expand(-1, 4, -1)

    expected = IN_ONE_PIECE.modulated(x, torch.sqrt, gain)
    assert torch.allclose(bands(pixels).modulated(x.clone(), torch.sqrt, gain), expected, atol=1e-5)


def test_layouts_are_turned_back() -> None:
    x = planes(3, 8, 5)
    flat = torch.empty(1, 3, 40)
    by_channel(x, flat)
    assert torch.equal(flat, x.flatten(2))
    assert torch.equal(by_pixel(flat, 5), x)
    assert by_pixel(flat, 5).is_contiguous(memory_format=torch.channels_last)


def test_a_band_that_does_not_fit_is_halved_and_no_row_is_lost() -> None:
    x = planes(2, 100, 64)
    heights: list[int] = []

    def greedy(x: Tensor) -> Tensor:
        heights.append(x.shape[2])
        if x.shape[2] > 40:
            raise RuntimeError("CUDA error: out of memory")
        return x * 2

    half = bands(100 * 64)
    result = half.pooled(greedy, x, halo=0)
    assert torch.equal(result.planes, x * 2)
    assert torch.allclose(result.mean, (x * 2).mean((2, 3), keepdim=True))
    assert heights == [100, 50, 25, 25, 25, 25]
    heights.clear()
    half.updated(greedy, x)
    assert heights == [25, 25, 25, 25], "the smaller bands are kept for the steps that follow"


def test_rows_that_are_overwritten_are_not_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(x: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("restore_cli.passes.bands.row_sums", fail)
    x = torch.zeros(1, 2, 64, 64)
    with pytest.raises(RuntimeError, match="out of memory"):
        bands(64 * 64).updated_and_pooled(lambda x: x.add_(1), x)
    assert x.max() == 1


def test_the_smallest_band_that_does_not_fit_is_an_error() -> None:
    def greedy(x: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    for width, grid in ((64, 1), (4000, 1), (800, 8)):  # of which a band has a row, or eight, at the least
        with pytest.raises(DeviceError, match="cpu is out of memory even with bands of"):
            bands(10_000).local(greedy, planes(1, 64, width), grid=grid)


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    def wrong(x: Tensor) -> Tensor:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        bands(100).local(wrong, planes())
