"""Convolutions with an activation or a sum after them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.layers import fused


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("known", [True, False], ids=["fused", "apart"])
@pytest.mark.parametrize("activation", [nn.GELU(), nn.GELU("tanh"), nn.LeakyReLU(0.05)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_the_activation_is_the_same(
    kernel: int, activation: nn.GELU | nn.LeakyReLU, known: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    convolution = nn.Conv2d(5, 8, kernel, padding=kernel // 2).to(dtype)
    x = torch.randn(2, 5, 13, 9).to(dtype).contiguous(memory_format=torch.channels_last)
    expected = activation(convolution.double()(x.double()))
    convolution.to(dtype)
    if not known:
        monkeypatch.setattr(fused, "_POINTWISE", None)
    trained = fused.convolve(x, convolution, activation)
    assert trained.requires_grad
    with torch.no_grad():
        result = fused.convolve(x, convolution, activation)
    tolerance = 1e-6 if dtype == torch.float32 else 0.02
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(trained.double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("known", [True, False], ids=["fused", "apart"])
@pytest.mark.parametrize(("groups", "kernel", "dilation"), [(1, 1, 1), (8, 3, 1), (8, 3, 4)])
def test_the_sum_is_the_same_and_in_place(
    groups: int, kernel: int, dilation: int, known: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    total, x = torch.rand(2, 1, 8, 13, 9).to(dtype).contiguous(memory_format=torch.preserve_format)
    total, x = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (total, x))
    weight, bias = torch.rand(8, 8 // groups, kernel, kernel).to(dtype), torch.rand(8).to(dtype)
    padding = dilation * (kernel // 2)
    expected = total + F.conv2d(x, weight, bias, 1, padding, dilation, groups)
    if not known:
        monkeypatch.setattr(fused, "_SUM", None)
    options = {"padding": padding, "dilation": dilation, "groups": groups}
    trained = fused.add_convolution(total, x, weight, bias, **options)
    assert trained.data_ptr() != total.data_ptr()
    with torch.no_grad():
        result = fused.add_convolution(total, x, weight, bias, **options)
    assert result.data_ptr() == total.data_ptr()
    tolerance = 1e-6 if dtype == torch.float32 else 0.1
    torch.testing.assert_close(result, expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(trained, expected, rtol=0, atol=tolerance)


def test_sums_are_in_place_other_than_in_training() -> None:
    total = torch.ones(2)
    assert fused.add(total, total) is not total
    with torch.no_grad():
        assert fused.add(total, torch.ones(2)) is total
    assert (total == 2).all()


@pytest.mark.parametrize("is_same", [True, False], ids=["onto itself", "onto another"])
@pytest.mark.parametrize("pixels", [1, 4 * 9, 12 * 9, 13 * 9])
def test_a_mixture_made_in_bands_is_the_same_and_in_place(
    pixels: int, is_same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    monkeypatch.setattr(fused, "BAND_PIXELS", pixels)
    widen, narrow = nn.Conv2d(4, 9, 3, padding=1), nn.Conv2d(9, 4, 1)
    x = torch.randn(2, 4, 13, 9).contiguous(memory_format=torch.channels_last)
    total = x if is_same else torch.randn_like(x)
    expected = total + narrow(F.gelu(widen(x)))
    trained = fused.add_mixture(total, x, widen, nn.GELU(), narrow)
    assert trained.requires_grad
    torch.testing.assert_close(trained, expected, rtol=0, atol=1e-6)
    with torch.no_grad():
        result = fused.add_mixture(total, x, widen, nn.GELU(), narrow)
    assert result.data_ptr() == total.data_ptr()
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
