"""PlainUSR: its forms, folded and as they are trained, in tiles, in pictures of any size."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from restore_cli.device import Device, Precision, choose_precision
from restore_cli.networks import build_network
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.restorer import Restorer

CPU = Device(torch.device("cpu"), has_bf16=True)
FORMS: dict[str, dict[str, Any]] = {
    "ultra": {"n_feat": 8, "im_feat": (8, 4), "scale": 4},
    "general": {"n_feat": 12, "im_feat": (12, 8, 4), "attn_feat": 4, "scale": 2},
    "large": {"n_feat": 12, "im_feat": (12, 8, 4), "attn_feat": 4, "scale": 4, "convolutions": 3},
    "narrow": {"n_feat": 16, "im_feat": (12, 8, 4), "attn_feat": 8, "scale": 3},
}
each_form = pytest.mark.parametrize("form", FORMS)


def build(form: str, *, folded: bool = True) -> PlainUSR:
    torch.manual_seed(4)
    network = PlainUSR(**FORMS[form], folded=folded)
    for name, parameter in network.named_parameters():
        if name.endswith(("se.1.weight", "se.3.weight", "tensor")):
            torch.nn.init.normal_(parameter)
    return network.eval()


@each_form
@pytest.mark.parametrize("folded", [True, False])
def test_sizes_are_read_from_shapes(form: str, folded: bool) -> None:
    original = build(form, folded=folded)
    rebuilt = build_network(original.state_dict())
    assert isinstance(rebuilt, PlainUSR)
    for attribute in ("scale", "n_feat", "channels", "grid", "halo", "receptive_field"):
        assert getattr(rebuilt, attribute) == getattr(original, attribute)
    x = torch.rand(1, 3, 20, 26)
    assert torch.equal(rebuilt(x), original(x))


@each_form
def test_the_folded_form_equals_the_one_that_is_trained(form: str) -> None:
    trained = build(form, folded=False)
    folded = trained.fold()
    assert folded.state_dict().keys() == build(form).state_dict().keys()
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    x = torch.rand(2, 3, 31, 22)
    torch.testing.assert_close(folded(x), trained(x), rtol=0, atol=1e-5)
    assert "blockm.body.0.expand_conv.weight" in trained.state_dict()
    assert folded.fold() is folded


@each_form
@pytest.mark.parametrize("folded", [True, False])
def test_every_value_is_trained(form: str, folded: bool) -> None:
    network = build(form, folded=folded).train()
    x = torch.rand(2, 3, 30, 24)
    result = network(x)
    with torch.no_grad():
        torch.testing.assert_close(network(x), result, rtol=0, atol=1e-6)
    result.square().sum().backward()
    still = [
        name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert still == []


@each_form
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 300), (6, 6), (7, 90), (65, 129), (333, 3)])
def test_tiles_of_any_picture_equal_the_whole(form: str, size: tuple[int, int]) -> None:
    network = build(form)
    picture = torch.rand(3, *size)
    whole, _ = Restorer(network, CPU, precision="fp32", tile="off").restore(picture)
    with torch.inference_mode():  # without grid and padding, as published
        torch.testing.assert_close(whole, network(picture[None])[0], rtol=0, atol=1e-6)
    tiled, _ = Restorer(network, CPU, precision="fp32", tile=32).restore(picture)
    assert (tiled - whole).abs().max() <= 0.5 / 255


def test_the_ultra_form_is_reduced_only_on_demand() -> None:
    for form in FORMS:
        restorer = Restorer(build(form), CPU)
        assert restorer.precision is (Precision.FP32 if form == "ultra" else Precision.BF16)
        assert choose_precision("bf16", CPU, build(form).half_precisions) is Precision.BF16


def test_a_network_without_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        PlainUSR(n_feat=0)
