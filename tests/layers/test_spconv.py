"""Split convolution: folded, and in one pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.layers.execution import IN_ONE_PIECE, Measured, mean_of
from restore_cli.layers.spconv import SPConv, window_means

Disturb = Callable[[nn.Module], SPConv]


@pytest.mark.parametrize(("stride", "representative"), [(1, None), (1, 2), (2, 6)])
def test_the_folded_form_gives_the_same(stride: int, representative: int | None, disturb: Disturb) -> None:
    block = disturb(SPConv(8, 12, stride=stride, representative=representative))
    x = torch.rand(2, 8, 10, 6)
    folded = block.fold()
    assert not [key for key in folded.state_dict() if "bn" in key]
    torch.testing.assert_close(folded(x), block(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("size", [(11, 9), (1, 7), (5, 1), (1, 1)])
def test_one_pass_gives_what_the_whole_gives(size: tuple[int, int], n: int, disturb: Disturb) -> None:
    block = disturb(SPConv(8, 8)).fold()
    x, other = torch.rand(2, n, 8, *size)
    done = block.execute(Measured(x, mean_of(x)), IN_ONE_PIECE, torch.add, other)
    torch.testing.assert_close(done.planes, block(x) + other, rtol=0, atol=1e-5)
    torch.testing.assert_close(done.mean, mean_of(done.planes), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(7, 5), (1, 4), (1, 1)])
def test_the_mean_of_a_convolution_is_known_from_its_input(size: tuple[int, int]) -> None:
    x, weight = torch.randn(2, 4, *size, dtype=torch.float64), torch.randn(6, 2, 3, 3, dtype=torch.float64)
    expected = mean_of(F.conv2d(x, weight, padding=1, groups=2))
    found = F.conv2d(window_means(Measured(x, mean_of(x)), IN_ONE_PIECE), weight, groups=2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_part_with_the_larger_average_weighs_more() -> None:
    block = SPConv(4, 4, folded=True).requires_grad_(False)
    block.pwc.bias.fill_(3)
    x = torch.zeros(1, 4, 5, 5)
    shares = block.shares(Measured(x, mean_of(x)), IN_ONE_PIECE)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(1, 4, 1, 1))
    assert (shares[0] > 0.9).all()
