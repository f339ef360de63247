"""A convolution with its normalisation: folded, and in one pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from restore_cli.layers.execution import IN_ONE_PIECE, Measured, mean_of
from restore_cli.layers.normed_conv import NormedConv


def test_the_folded_form_gives_the_same(disturb: Callable[[nn.Module], NormedConv]) -> None:
    block = disturb(NormedConv(6, 5))
    x, other = torch.rand(2, 6, 9, 7), torch.rand(2, 5, 9, 7)
    folded = block.fold()
    assert set(folded.state_dict()) == {"conv.weight", "conv.bias"}
    torch.testing.assert_close(folded(x), block(x), rtol=0, atol=1e-5)
    done = folded.execute(Measured(x, mean_of(x)), IN_ONE_PIECE, torch.add, other)
    torch.testing.assert_close(done.planes, block(x) + other, rtol=0, atol=1e-5)
