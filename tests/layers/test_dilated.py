"""Dilated depthwise convolutions and their gradients equal PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.layers.darkir import Branch
from restore_cli.layers.dilated import convolve_dilated


@pytest.mark.parametrize("size", [(2, 3, 11, 8), (1, 4, 25, 5)])
@pytest.mark.parametrize("dilation", [1, 4, 9])
@pytest.mark.parametrize("has_bias", [True, False])
def test_results_and_gradients_are_those_of_a_convolution(
    size: tuple[int, int, int, int], dilation: int, has_bias: bool
) -> None:
    torch.manual_seed(1)
    x, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in (size, (size[1], 1, 3, 3), (size[1],)))
    gradient = torch.randn_like(x)
    both = []
    for ours in (True, False):
        leaves = [each.clone().requires_grad_() for each in ((x, weight, bias) if has_bias else (x, weight))]
        arguments = (*leaves, *([] if has_bias else [None]))
        if ours:
            result = convolve_dilated(*arguments, dilation)
        else:
            result = F.conv2d(*arguments, 1, dilation, dilation, size[1])
        result.backward(gradient)
        both.append([result.detach(), *(leaf.grad for leaf in leaves)])
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_under_autocast_parameters_keep_gradients_of_their_own_type() -> None:
    torch.manual_seed(2)
    branch, x = Branch(4, 4), torch.randn(2, 4, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        result = branch(x)
    assert result.dtype == torch.bfloat16
    result.float().sum().backward()
    for parameter in branch.parameters():
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
    assert branch.branch[0].bias.grad.tolist() == [2 * 16 * 16] * 4


@pytest.mark.parametrize("dilation", [1, 4, 9])
def test_learning_and_inference_give_the_same(dilation: int) -> None:
    torch.manual_seed(3)
    branch, x, total = Branch(4, dilation), torch.randn(1, 4, 20, 24), torch.randn(1, 4, 20, 24)
    learned = [branch(x), branch(x, total)]
    with torch.no_grad():
        inferred = [branch(x), branch(x, total.clone())]
    for one, other in zip(learned, inferred, strict=True):
        torch.testing.assert_close(one.detach(), other, rtol=1e-5, atol=1e-5)
