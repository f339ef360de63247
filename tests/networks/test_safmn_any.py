"""SAFMN for any scale: what its contract does not say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from restore_cli.networks.safmn_any import SAFMNAny

ROOT = Path(__file__).resolve().parents[2]
FORMS = [{}, {"moving": 0}, {"anchored": 0, "moving": 24, "groups": 2}, {"widths": (24, 16)}]


def build(**form: object) -> SAFMNAny:
    torch.manual_seed(2)
    return SAFMNAny(dim=16, n_blocks=2, **form)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_form_is_read_back_from_its_state_dict(form: dict) -> None:
    original = build(**form).eval()
    rebuilt = SAFMNAny.from_state_dict(original.state_dict())
    x = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        assert torch.equal(rebuilt(x, size=(43, 64)), original(x, size=(43, 64)))


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("scale", [1, 1.5, 2, 2.7, 3, 4])
def test_begins_as_bilinear_interpolation(form: dict, scale: float) -> None:
    x = torch.rand(2, 3, 16, 24)
    size = (round(16 * scale), round(24 * scale))
    plain = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(build(**form)(x, size=size), plain, rtol=0, atol=0.01)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_training_and_inference_compute_the_same(form: dict) -> None:
    network = build(**form)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x = torch.rand(2, 3, 16, 24)
    trained = network(x, size=(37, 50))
    with torch.no_grad():
        used = network(x, size=(37, 50))
    torch.testing.assert_close(used, trained.detach(), rtol=1e-4, atol=1e-4)
    trained.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_the_trunk_of_a_trained_safmn_fits() -> None:
    state = load_file(ROOT / "weights" / "safmn-x4.safetensors")
    missing, surplus = SAFMNAny().load_state_dict(state, strict=False)
    assert surplus == ["to_img.0.bias", "to_img.0.weight"]
    assert not any(name.startswith(("to_feat", "feats")) for name in missing)
