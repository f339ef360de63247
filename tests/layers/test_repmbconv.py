"""Blocks that are trained wide and folded into plain convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from restore_cli.layers.repmbconv import GateChannel, LearnedScale, RepMBConv

TOLERANCE = 1e-5


def randomised(module: nn.Module) -> nn.Module:
    """Give all parameters values that leave their mark, biases included."""
    torch.manual_seed(5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize("channels", [4, 12, 32])
@pytest.mark.parametrize("size", [(9, 14), (1, 1), (2, 40)])
def test_a_folded_block_equals_the_block_up_to_the_edges(channels: int, size: tuple[int, int]) -> None:
    block = randomised(RepMBConv(channels))
    assert isinstance(block, RepMBConv)
    folded = block.fold()
    assert (folded.kernel_size, folded.padding) == ((3, 3), (1, 1))
    x = torch.randn(2, channels, *size)
    expected = block(x)
    scale = expected.abs().max().item()
    torch.testing.assert_close(folded(x) / scale, expected / scale, rtol=0, atol=TOLERANCE)


def test_folding_leaves_the_block_as_it_is() -> None:
    block = RepMBConv(8)
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    block.fold()
    assert all(torch.equal(tensor, before[name]) for name, tensor in block.state_dict().items())


@pytest.mark.parametrize("channels", [1, 8])
def test_a_gate_channel_folds_into_the_convolution_before_it(channels: int) -> None:
    before, gate = randomised(nn.Conv2d(5, channels, 3, padding=1)), randomised(GateChannel(channels))
    assert isinstance(before, nn.Conv2d)
    assert isinstance(gate, GateChannel)
    x = torch.randn(2, 5, 8, 11)
    plain = before(x)
    expected = gate(plain)
    assert not torch.allclose(expected[:, 0], plain[:, 0])
    assert torch.equal(expected[:, 1:], plain[:, 1:])
    torch.testing.assert_close(gate.fold_into(before)(x), expected, rtol=0, atol=TOLERANCE)


def test_factors_of_channels_are_between_0_and_1_and_learned() -> None:
    scale = LearnedScale(8)
    factors = scale.factors()
    assert factors.shape == (8,)
    assert ((factors > 0) & (factors < 1)).all()
    x = torch.randn(1, 8, 3, 3)
    torch.testing.assert_close(scale(x), x * factors.view(1, 8, 1, 1))
    scale(x).sum().backward()
    assert all(parameter.grad is not None for parameter in scale.parameters())
