"""SAFMN for any scale: what its contract does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file

from restore_cli.device import Device
from restore_cli.networks import Network
from restore_cli.networks.safmn_any import SAFMNAny
from restore_cli.restorer import Restorer

ROOT = Path(__file__).resolve().parents[2]
CPU = Device(torch.device("cpu"), has_bf16=True)
LEVEL = 1 / 255
FORMS = [{}, {"moving": 0}, {"anchored": 0, "moving": 24, "groups": 2}, {"anchored": 8, "moving": 8, "groups": 1}]
each_form = pytest.mark.parametrize("form", FORMS, ids=str)


def build(**form: int) -> SAFMNAny:
    torch.manual_seed(2)
    return SAFMNAny(dim=16, n_blocks=2, **form)


def build_lively(**form: int) -> SAFMNAny:
    """Build a network whose features and offsets leave their mark on the result, as far as they reach.

    Weights like these make more of far pixels than trained ones do, so the halo is all that can be seen.
    """
    network = build(**form).eval().requires_grad_(False)
    network.halo = network.receptive_field
    torch.nn.init.normal_(network.get_parameter("head.0.weight"), std=0.1)
    if network.offset is not None:
        torch.nn.init.normal_(network.get_parameter("offset.weight"), std=0.5)
    return network


def restore(
    network: Network, picture: torch.Tensor, size: tuple[int, int], *, tile: int | str, precision: str = "fp32"
) -> torch.Tensor:
    return Restorer(network, CPU, precision=precision, tile=tile).restore(picture, size=size)[0]  # type: ignore[arg-type]


@each_form
def test_a_form_is_read_back_from_its_state_dict(form: dict[str, int]) -> None:
    original = build_lively(**form)
    rebuilt = SAFMNAny.from_state_dict(original.state_dict())
    x = torch.rand(1, 3, 16, 24)
    assert torch.equal(rebuilt(x, size=(43, 64)), original(x, size=(43, 64)))


@pytest.mark.parametrize("form", [{"anchored": 0, "moving": 0}, {"moving": 6, "groups": 4}, {"groups": 0}])
def test_impossible_forms_are_refused(form: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="groups"):
        build(**form)


@each_form
@pytest.mark.parametrize("scale", [1, 1.5, 2, 2.7, 3, 4])
def test_begins_as_bilinear_interpolation(form: dict[str, int], scale: float) -> None:
    x = torch.rand(2, 3, 16, 24)
    size = (round(16 * scale), round(24 * scale))
    plain = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(build(**form)(x, size=size), plain, rtol=0, atol=0.01)


@each_form
def test_training_and_inference_compute_the_same(form: dict[str, int]) -> None:
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


def draw_pictures(n: int, side: int, seed: int) -> torch.Tensor:
    """Draw n, 3, side, side: waves of random direction, length and colour, cut by a sharp edge."""
    torch.manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    direction = 6 * torch.rand(n, 1, 1)
    along = x * direction.cos() + y * direction.sin()
    waves = 0.5 + 0.3 * torch.sin(along / (2 + 6 * torch.rand(n, 1, 1)))
    edge = (along > along.mean(dim=(1, 2), keepdim=True)).float()[:, None]
    return (waves[:, None] * torch.rand(n, 3, 1, 1) + 0.4 * edge).clamp(0, 1)


def test_a_short_training_lowers_the_loss_at_every_scale() -> None:
    scales = {1.5: 36, 2.0: 48, 4.0: 96}
    batches = [draw_pictures(4, side, seed) for seed, side in enumerate(scales.values())]
    pairs = [(F.interpolate(large, size=(24, 24), mode="area"), large) for large in batches]
    network = build(moving=8, anchored=24)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)

    def losses() -> list[torch.Tensor]:
        return [(network(x, size=(large.shape[2], large.shape[3])) - large).abs().mean() for x, large in pairs]

    before = [loss.item() for loss in losses()]
    for _ in range(60):
        optimiser.zero_grad()
        torch.stack(losses()).sum().backward()
        optimiser.step()
    after = [loss.item() for loss in losses()]
    assert all(late < 0.95 * early for early, late in zip(before, after, strict=True)), (before, after)
    assert sum(after) < 0.8 * sum(before)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(1, 4), st.integers(8, 64), st.integers(0, 5))
def test_any_size_by_any_scale_in_tiles_of_any_size(
    height: int, width: int, scale: float, tile: int, seed: int
) -> None:
    torch.manual_seed(seed)
    picture = torch.rand(3, height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    whole = restore(build_lively(), picture, size, tile="off")
    assert whole.shape == (3, *size)
    assert whole.isfinite().all()
    tiled = restore(build_lively(), picture, size, tile=tile)
    assert (tiled - whole).abs().max() <= 0.1 * LEVEL


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (7, 5)])
@pytest.mark.parametrize("scale", [1, 2.7, 4])
def test_narrow_pictures(size: tuple[int, int], scale: float) -> None:
    picture = torch.rand(3, *size)
    wanted = (round(size[0] * scale), round(size[1] * scale))
    whole = restore(build_lively(), picture, wanted, tile="off")
    assert whole.shape == (3, *wanted)
    assert (restore(build_lively(), picture, wanted, tile=16) - whole).abs().max() <= 0.1 * LEVEL


@pytest.mark.parametrize("scale", [1, 1.37, 2, 2.7, 3, 3.99])
def test_tiles_equal_the_whole_bit_for_bit_in_reduced_precision_at_every_scale(scale: float) -> None:
    picture = torch.rand(3, 75, 2 * build().receptive_field + 70)
    size = (round(75 * scale), round(picture.shape[2] * scale))
    whole = restore(build_lively(), picture, size, tile="off", precision="bf16")
    assert torch.equal(restore(build_lively(), picture, size, tile=32, precision="bf16"), whole)


@pytest.mark.parametrize("scale", [1, 2.7, 4])
def test_the_halo_suffices_for_a_trained_trunk(scale: float, shared: Path) -> None:
    """Half a level at the most, with features as they come out of photographs."""
    network = SAFMNAny()
    network.load_state_dict(load_file(ROOT / "weights" / "safmn-x4.safetensors"), strict=False)
    torch.manual_seed(4)
    torch.nn.init.normal_(network.get_parameter("head.0.weight"), std=0.05)
    torch.nn.init.normal_(network.get_parameter("offset.weight"), std=0.05)
    network.eval().requires_grad_(False)
    with Image.open(shared / "data" / "photos" / "bsds" / "100075.jpg") as photo:
        picture = torch.from_numpy(np.asarray(photo.convert("RGB")) / np.float32(255)).permute(2, 0, 1)[:, :64]
    size = (round(64 * scale), round(picture.shape[2] * scale))
    whole = restore(network, picture, size, tile="off")
    assert (restore(network, picture, size, tile=64) - whole).abs().max() <= 0.5 * LEVEL
    plain = F.interpolate(picture[None], size=size, mode="bilinear", align_corners=False)[0]
    assert (whole - plain).std() > 2 * LEVEL


@torch.no_grad()
def test_height_and_width_may_grow_differently() -> None:
    network, x = build_lively(), torch.rand(1, 3, 24, 32)
    both = network(x, size=(48, 128))
    assert both.shape == (1, 3, 48, 128)
    turned = network(x, size=(96, 64))
    assert turned.shape == (1, 3, 96, 64)


@pytest.mark.parametrize(("scale", "step"), [(2, 8), (3, 8), (4, 16), (2.5, 8), (1, 24)])
@torch.no_grad()
def test_a_picture_moved_by_whole_cells_gives_a_moved_result(scale: float, step: int) -> None:
    """By cells of the grid, that is; within one, SAFMN's pooling sees other pixels together."""
    network = build_lively()
    reach = -(-network.receptive_field // 8) * 8
    height, width = 2 * reach + 8, 2 * reach + 16 + 2 * step
    picture = torch.rand(1, 3, height, width)
    still = network(picture[..., :-step], size=(round(height * scale), round((width - step) * scale)))
    moved = network(picture[..., step:], size=(round(height * scale), round((width - step) * scale)))
    inner, shift = round(reach * scale), round(step * scale)
    same = still[..., inner + shift : -inner], moved[..., inner : -inner - shift]
    assert same[0].shape[3] > 0
    torch.testing.assert_close(same[0][:, :, inner:-inner], same[1][:, :, inner:-inner], rtol=0, atol=1e-5)
    assert same[0].std() > 0.01


def test_the_trunk_of_a_trained_safmn_fits() -> None:
    state = load_file(ROOT / "weights" / "safmn-x4.safetensors")
    missing, surplus = SAFMNAny().load_state_dict(state, strict=False)
    assert surplus == ["to_img.0.bias", "to_img.0.weight"]
    assert not any(name.startswith(("to_feat", "feats")) for name in missing)
