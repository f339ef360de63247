from __future__ import annotations

import torch

from restore_cli.layers.norm import ChannelLayerNorm, GlobalResponseNorm, channel_energy


def test_layer_norm_makes_every_pixel_zero_mean_and_unit_variance() -> None:
    x = torch.randn(2, 16, 5, 7) * 9 + 4
    y = ChannelLayerNorm(16)(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y.mean(dim=1), torch.zeros(2, 5, 7), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.var(dim=1, correction=0), torch.ones(2, 5, 7), rtol=1e-3, atol=0)


def test_layer_norm_scales_and_shifts_channels() -> None:
    norm = ChannelLayerNorm(3)
    x = torch.randn(1, 3, 4, 4)
    plain = norm(x)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    expected = plain * torch.tensor([1.0, 2.0, 3.0])[:, None, None] + torch.tensor([0.0, 5.0, 0.0])[:, None, None]
    torch.testing.assert_close(norm(x), expected)


def test_response_norm_is_the_identity_until_it_is_trained() -> None:
    x = torch.randn(1, 8, 6, 6)
    assert torch.equal(GlobalResponseNorm(8)(x), x)


def test_response_norm_of_parts_with_the_energy_of_the_whole_is_that_of_the_whole() -> None:
    norm = GlobalResponseNorm(4)
    with torch.no_grad():
        norm.gamma.normal_()
        norm.beta.normal_()
    x = torch.randn(1, 4, 8, 12) * torch.tensor([1.0, 2.0, 0.1, 5.0])[:, None, None]
    energy = channel_energy(x[..., :5]) + channel_energy(x[..., 5:])
    parts = torch.cat([norm(x[..., :5], energy), norm(x[..., 5:], energy)], dim=3)
    torch.testing.assert_close(parts, norm(x))
    assert not torch.allclose(norm(x[..., :5]), parts[..., :5])


def test_energy_of_many_small_values_is_not_lost() -> None:
    x = torch.full((1, 1, 3000, 3000), 1e-3)
    assert abs(channel_energy(x).item() - 9.0) < 1e-5
