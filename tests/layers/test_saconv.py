"""Switchable atrous convolution: folded, loaded from a plain convolution, and switched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from restore_cli.layers.execution import IN_ONE_PIECE, Measured, mean_of
from restore_cli.layers.saconv import SAConv2d


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (1, 4), (2, 2)])
def test_the_folded_form_gives_the_same(stride: int, groups: int, disturb: Callable[[nn.Module], SAConv2d]) -> None:
    block = disturb(SAConv2d(8, 12, stride=stride, groups=groups))
    x = torch.rand(2, 8, 11, 9)
    folded = block.fold()
    assert not [key for key in folded.state_dict() if "bn" in key or "gamma" in key or "beta" in key]
    torch.testing.assert_close(folded(x), block(x), rtol=0, atol=1e-5)


def test_a_channel_that_is_scaled_by_zero_folds(disturb: Callable[[nn.Module], SAConv2d]) -> None:
    block = disturb(SAConv2d(4, 4))
    block.bn.weight[1] = 0
    x = torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(block.fold()(x), block(x), rtol=0, atol=1e-5)


def test_steps_give_what_the_whole_gives(disturb: Callable[[nn.Module], SAConv2d]) -> None:
    block = disturb(SAConv2d(8, 8)).fold()
    x, other = torch.rand(2, 2, 8, 11, 9)
    done = block.execute(Measured(x, mean_of(x)), IN_ONE_PIECE, torch.add, other)
    torch.testing.assert_close(done.planes, block(x) + other, rtol=0, atol=1e-5)
    torch.testing.assert_close(done.mean, mean_of(done.planes), rtol=0, atol=1e-5)


def test_a_new_one_is_the_plain_convolution_that_it_is_loaded_from() -> None:
    plain = nn.Conv2d(6, 5, 3, padding=1, bias=False)
    block = SAConv2d(6, 5)
    with torch.no_grad():
        block.weight_gamma.fill_(7)
    report = block.load_state_dict(plain.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert "weight_diff" in report.missing_keys
    assert not {"weight_gamma", "weight_beta"} & set(report.missing_keys)
    torch.testing.assert_close(block.filters()[0], plain.weight, rtol=0, atol=1e-6)
    x = torch.rand(1, 6, 9, 7)
    block.bn = nn.Identity()  # type: ignore[assignment]
    torch.testing.assert_close(block(x), plain(x), rtol=0, atol=1e-5)


def test_trained_deviations_are_kept_on_loading(disturb: Callable[[nn.Module], SAConv2d]) -> None:
    block = disturb(SAConv2d(6, 5))
    block.weight_gamma.fill_(7)
    other = SAConv2d(6, 5)
    other.load_state_dict(block.state_dict())
    assert (other.weight_gamma == 7).all()
    deviations = block.filters()[0].flatten(1).std(dim=1)
    torch.testing.assert_close(deviations, torch.full((5,), 7.0), rtol=1e-2, atol=0)


def test_the_switch_chooses_between_near_and_far() -> None:
    block = SAConv2d(3, 3).requires_grad_(False)
    x = torch.zeros(1, 3, 9, 9)
    x[0, 0, 4, 4] = 1
    near, far = block.filters()
    for bias, dilation in ((1.0, 1), (0.0, 3)):
        block.switch.bias.fill_(bias)
        seen = block.mix(x, near, far)[0].abs().sum(dim=0).nonzero() - 4
        assert seen.abs().unique().tolist() == [0, dilation]
    block.switch.bias.fill_(0.5)
    mixed = block.mix(x, near, far)
    block.switch.weight[:] = 9  # what it sees, changes the choice
    assert not torch.equal(block.mix(x, near, far), mixed)
