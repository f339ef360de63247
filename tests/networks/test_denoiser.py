"""The denoiser: the same folded, rebuilt and in bands of any size; and it learns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from restore_cli.device import Device
from restore_cli.networks import build_network
from restore_cli.networks.denoiser import Denoiser, Kind
from restore_cli.passes.bands import InBands
from restore_cli.restorer import Restorer

CPU = Device(torch.device("cpu"), has_bf16=False)
Disturb = Callable[[nn.Module], Denoiser]
SHAPES: list[tuple[tuple[Kind, ...], int, int]] = [
    (("plain", "plain"), 1, 1),
    (("sp", "sp", "sp", "sp"), 2, 1),
    (("sa", "sa"), 2, 1),
    (("sp", "sa", "sp", "sa"), 2, 1),
    (("sa", "sp", "plain", "sa"), 1, 8),
]
"""Kinds of convolutions, how far the picture is shrunk, groups of SAConv."""
each_shape = pytest.mark.parametrize(("kinds", "shrink", "groups"), SHAPES)


@each_shape
def test_the_trained_and_the_folded_form_give_the_same(
    kinds: tuple[Kind, ...], shrink: int, groups: int, disturb: Disturb
) -> None:
    network = disturb(Denoiser(8, kinds=kinds, shrink=shrink, sa_groups=groups))
    x = torch.rand(2, 3, 24, 32)
    expected = network(x)
    assert (expected - x).abs().max() > 0.1
    sizes = network.hyperparameters(network.state_dict())
    for state in (network.state_dict(), network.fold().state_dict()):
        built = build_network(state).fold()
        assert isinstance(built, Denoiser)
        assert built.folded
        assert built.hyperparameters(built.state_dict()) == sizes | {"folded": True}
        torch.testing.assert_close(built(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pixels", [1, 50, 200, 10**6])
@each_shape
def test_bands_of_any_size_are_as_exact_as_one_piece(
    kinds: tuple[Kind, ...], shrink: int, groups: int, pixels: int, disturb: Disturb
) -> None:
    network = disturb(Denoiser(8, kinds=kinds, shrink=shrink, sa_groups=groups))
    x = torch.rand(1, 3, 24, 32)
    exact = network.double()(x.double())
    bands = InBands(CPU, home=torch.device("cpu"), pixels=pixels)
    folded = network.float().fold()
    torch.testing.assert_close(folded.restore(x, bands).double(), exact, rtol=0, atol=1e-5)
    torch.testing.assert_close(network.restore(x, bands).double(), exact, rtol=0, atol=1e-5)
    torch.testing.assert_close(folded.restore(x, bands), folded(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_tiles_do_not_change_the_result(precision: str, disturb: Disturb) -> None:
    network = disturb(Denoiser(16, kinds=("sp", "sa", "sa", "plain"))).fold()
    picture = torch.rand(3, 75, 41)
    whole, _ = Restorer(network, CPU, precision=precision, tile="off").restore(picture)
    for tile in (16, 23):
        tiled, run = Restorer(network, CPU, precision=precision, tile=tile).restore(picture)
        assert run.tile == tile
        torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-6 if precision == "fp32" else 1e-3)


@each_shape
def test_a_new_one_leaves_the_picture_as_it_is(kinds: tuple[Kind, ...], shrink: int, groups: int) -> None:
    x = torch.rand(1, 3, 16, 24)
    assert torch.equal(Denoiser(8, kinds=kinds, shrink=shrink, sa_groups=groups)(x), x)


def test_it_can_be_trained() -> None:
    torch.manual_seed(0)
    network = Denoiser(16, kinds=("sp", "sa"))
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    smooth = torch.nn.functional.interpolate(torch.rand(4, 3, 4, 4), scale_factor=8, mode="bilinear")
    losses = []
    for _ in range(120):
        noise = torch.randn_like(smooth) * torch.linspace(0.05, 0.2, 4)[:, None, None, None]
        loss = (network(smooth + noise) - smooth).square().mean() / noise.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert losses[0] == pytest.approx(1, abs=1e-5), "at first nothing is taken away"
    assert losses[-1] < 0.4
    x = smooth[:1] + torch.randn_like(smooth[:1]) * 0.1
    torch.testing.assert_close(network.fold()(x), network.eval()(x), rtol=0, atol=1e-5)
    assert all(parameter.requires_grad for parameter in network.parameters()), "it can be trained on"


@each_shape
def test_it_can_be_trained_in_mixed_precision(kinds: tuple[Kind, ...], shrink: int, groups: int) -> None:
    torch.manual_seed(0)
    network = Denoiser(8, kinds=kinds, shrink=shrink, sa_groups=groups)
    torch.nn.init.normal_(network.ending.weight, std=0.1)
    x = torch.rand(2, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(x)
    rounded.float().square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    torch.testing.assert_close(rounded.float(), network(x), rtol=0, atol=0.05)


@pytest.mark.parametrize("kinds", [(), ("sp",), ("sp", "sa", "sp")])
def test_a_block_has_two_convolutions(kinds: tuple[Kind, ...]) -> None:
    with pytest.raises(ValueError, match="two convolutions"):
        Denoiser(8, kinds=kinds)
