"""What every network promises the rest of the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restore_cli.card import ModelCard
from restore_cli.cards import CARDS
from restore_cli.device import Device
from restore_cli.errors import RestoreError, StateDictError
from restore_cli.networks import NETWORKS, Locality, Network, Part, StateDict, SteppedNetwork, build_network
from restore_cli.networks.darkir import DarkIR
from restore_cli.networks.denoiser import Denoiser
from restore_cli.networks.light_safmnpp import LightSAFMNPP
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.networks.safmn import SAFMN
from restore_cli.networks.safmn_any import SAFMNAny
from restore_cli.networks.safmn_bcie import SAFMNBCIE
from restore_cli.networks.safmn_ntire import SAFMNChallenge
from restore_cli.networks.safmnpp import SAFMNPP
from restore_cli.restorer import Restorer
from restore_cli.tiling import Box, round_up
from restore_cli.weights import load_card

HALF_A_LEVEL = 0.5 / 255
CPU = Device(torch.device("cpu"), has_bf16=True)
ROOT = Path(__file__).resolve().parents[2]


def build(network: type[Network]) -> Network:
    """Build a small network of each architecture with random weights that leave their mark on the result."""
    torch.manual_seed(1)
    small: dict[type[Network], Network] = {
        SAFMN: SAFMN(dim=16, n_blocks=2, upscaling_factor=3),
        SAFMNChallenge: SAFMNChallenge(dim=16, n_blocks=2, upscaling_factor=2),
        SAFMNPP: SAFMNPP(dim=12, n_blocks=2),
        LightSAFMNPP: LightSAFMNPP(dim=8, n_blocks=1),
        SAFMNBCIE: SAFMNBCIE(dim=8, n_blocks=2, num_layers=1),
        SAFMNAny: SAFMNAny(dim=16, n_blocks=2, anchored=16, moving=8),
        DarkIR: DarkIR(4, enc_blk_nums=(1, 2), dec_blk_nums=(2, 1), middle_blk_num_enc=1, middle_blk_num_dec=1),
        Denoiser: Denoiser(8, kinds=("sp", "sa", "plain", "sp"), folded=True),
        PlainUSR: PlainUSR(n_feat=12, im_feat=(12, 8, 4), attn_feat=4, scale=2),
    }
    built = small[network].eval().requires_grad_(False)
    for name, parameter in built.named_parameters():
        if name.endswith(("gamma", "beta")) or name.startswith("head") or not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return built


each_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.architecture)


@each_network
def test_is_rebuilt_from_its_state_dict(network: type[Network]) -> None:
    original = build(network)
    rebuilt = build_network(original.state_dict())
    x = torch.rand(1, 3, 32, 48)
    assert type(rebuilt) is network
    assert rebuilt.scale == original.scale
    assert torch.equal(rebuilt(x), original(x))
    assert not any(parameter.requires_grad for parameter in rebuilt.parameters())


@each_network
def test_recognises_its_own_state_dict_and_no_other(network: type[Network]) -> None:
    state = build(network).state_dict()
    assert [other for other in NETWORKS if other.recognises(state)] == [network]


@each_network
def test_half_precision_weights_load_as_float32(network: type[Network]) -> None:
    state = {name: tensor.half() for name, tensor in build(network).state_dict().items()}
    assert all(parameter.dtype == torch.float32 for parameter in build_network(state).parameters())


@each_network
def test_names_missing_and_extra_keys(network: type[Network]) -> None:
    state = dict(build(network).state_dict())
    tells_sizes = "to_img.0.weight"
    last = next(name for name in reversed(state) if name not in network.signature and name != tells_sizes)
    state["surplus.weight"] = state.pop(last)
    with pytest.raises(StateDictError) as caught:
        build_network(state)
    assert f"missing {last}" in caught.value.message
    assert "extra surplus.weight" in caught.value.message


@each_network
def test_names_extra_keys(network: type[Network]) -> None:
    state = dict(build(network).state_dict()) | {"surplus.weight": torch.zeros(1)}
    with pytest.raises(StateDictError, match=r"extra surplus\.weight"):
        build_network(state)


@each_network
def test_names_a_wrong_shape(network: type[Network]) -> None:
    state = dict(build(network).state_dict())
    name = next(
        name
        for name in state
        if name.endswith(("dwconv.weight", "mfr.1.weight", "branch.0.weight", "second.weight", "body.2.weight"))
    )
    state[name] = torch.zeros(1, 1, 5, 5)
    with pytest.raises(StateDictError, match=rf"{name} is \(1, 1, 5, 5\)"):
        build_network(state)


@pytest.mark.parametrize(
    "odd",
    [
        {"feats.0.ccm.ccm.0.weight": torch.empty(10**12, 0)},
        {"to_feat.weight": torch.empty(0, 3, 3, 3)},
        {"feats.30000.norm1.weight": torch.zeros(3)},
    ],
)
def test_sizes_that_cannot_be_are_refused_at_once(odd: dict[str, torch.Tensor]) -> None:
    state = build(SAFMN).state_dict()
    with pytest.raises(StateDictError):
        build_network(state | odd)


def test_channels_that_cannot_be_parted_are_refused() -> None:
    with pytest.raises(ValueError, match="38 channels cannot be parted into 4 groups"):
        SAFMN(dim=38, n_blocks=1)


@each_network
def test_geometry_is_declared(network: type[Network]) -> None:
    built = build(network)
    assert built.grid >= 1
    assert built.bytes_per_pixel > 0
    if not isinstance(built, SteppedNetwork):
        assert built.halo > 0
        assert built.receptive_field > 0
    x = torch.rand(1, 3, 2 * built.grid, 3 * built.grid)
    assert built(x).shape == (1, 3, 2 * built.grid * built.scale, 3 * built.grid * built.scale)


@each_network
def test_of_a_part_the_core_is_returned(network: type[Network]) -> None:
    built = build(network)
    grid, scale = built.grid, built.scale
    x = torch.rand(1, 3, 4 * grid, 3 * grid)
    whole, core = Box(0, 0, 4 * grid, 3 * grid), Box(grid, grid, 2 * grid, grid)
    statistic = None if built.statistic_halo is None else built.measure(x, whole)
    expected = built(x)[:, :, *core.scaled(scale).slices]
    torch.testing.assert_close(built(x, Part(whole, core, whole, statistic)), expected, rtol=0, atol=1e-5)


@each_network
def test_nothing_beyond_the_receptive_field_changes_the_result(network: type[Network]) -> None:
    built = build(network)
    if isinstance(built, SteppedNetwork):
        assert network.locality is Locality.GLOBAL
        return
    reach = -(-built.receptive_field // built.grid) * built.grid
    side = reach + 2 * built.grid
    x = torch.rand(1, 3, built.grid, side)
    changed = x.clone()
    changed[..., : built.grid] = 1 - changed[..., : built.grid]
    whole = Box(0, 0, built.grid, side)
    statistic = None if built.statistic_halo is None else built.measure(x, whole)
    before, after = (built(picture, Part(whole, whole, whole, statistic)) for picture in (x, changed))
    far = (built.grid + built.receptive_field) * built.scale
    assert torch.equal(before[..., far:], after[..., far:])
    assert not torch.equal(before[..., : built.grid], after[..., : built.grid])


@each_network
def test_statistics_of_parts_add_up(network: type[Network]) -> None:
    built = build(network)
    if built.statistic_halo is None:
        with pytest.raises(TypeError, match=built.architecture):
            built.measure(torch.rand(1, 3, 16, 16), Box(0, 0, 16, 16))
        return
    x = torch.rand(1, 3, 32, 64)
    halo = built.statistic_halo
    whole = built.measure(x, Box(0, 0, 32, 64))
    left = built.measure(x[..., : 16 + halo], Box(0, 0, 32, 16))
    right = built.measure(x[..., 16 - halo :], Box(0, halo, 32, 48))
    torch.testing.assert_close(left + right, whole, rtol=1e-6, atol=0)


@each_network
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_reduced_precision_stays_near(network: type[Network], dtype: torch.dtype) -> None:
    if dtype not in network.half_precisions:
        assert network is SAFMNBCIE
        return
    built = build(network)
    x = torch.rand(1, 3, 48, 48)
    expected = built(x)
    reduced = built.reduce_precision(dtype)(x)
    assert reduced.dtype == torch.float32
    error = (reduced - expected).abs().max() / expected.abs().max()
    assert 0 < error < 0.05


@each_network
def test_tiles_equal_the_whole_bit_for_bit_in_reduced_precision(network: type[Network]) -> None:
    if torch.bfloat16 not in network.half_precisions:
        assert network is SAFMNBCIE
        return
    if issubclass(network, SteppedNetwork):
        assert network.locality is Locality.GLOBAL
        return
    picture = torch.rand(3, 75, 2 * build(network).receptive_field + 70)
    whole, _ = Restorer(build(network), CPU, precision="bf16", tile="off").restore(picture)
    tiled, run = Restorer(build(network), CPU, precision="bf16", tile=32).restore(picture)
    assert run.tile == round_up(32, build(network).grid)
    assert torch.equal(tiled, whole)


@each_network
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_tiles_that_go_together_equal_those_that_go_alone(network: type[Network], precision: str, card: Device) -> None:
    if precision == "bf16" and torch.bfloat16 not in network.half_precisions:
        assert network is SAFMNBCIE
        return
    if issubclass(network, SteppedNetwork):
        assert network.locality is Locality.GLOBAL
        return
    built = build(network)
    picture = torch.rand(3, 32, 2 * built.receptive_field + 70)
    tile = 32 if precision == "fp32" else "off"  # halos in float32 are those that trained weights need, not these
    expected, _ = Restorer(built, CPU, precision=precision, tile=tile).restore(picture)
    tiled, run = Restorer(built, card, precision=precision, tile=32).restore(picture)
    assert run.tile == round_up(32, built.grid)
    torch.testing.assert_close(tiled, expected, rtol=1e-5, atol=1e-5)


@each_network
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stack_equals_its_pictures_alone(network: type[Network], precision: str) -> None:
    """A processor's kernels add up in another order for several pictures; what else they do is the same."""
    if precision == "bf16" and torch.bfloat16 not in network.half_precisions:
        assert network is SAFMNBCIE
        return
    restorer = Restorer(build(network), CPU, precision=precision)
    for height, width in ((41, 50), (16, 16), (7, 64)):
        together = restorer.stack_size(height, width)
        if issubclass(network, SteppedNetwork) and precision == "bf16":
            assert together == 1
            return
        assert together > 1
        pictures = [torch.rand(3, height, width) for _ in range(3)]
        for picture, result in zip(pictures, restorer.restore_stack(pictures), strict=True):
            assert not isinstance(result, RestoreError)
            expected, run = restorer.restore(picture)
            assert result[1] == run
            torch.testing.assert_close(result[0], expected, rtol=1e-5, atol=1e-5)


@each_network
def test_bands_equal_the_whole(network: type[Network]) -> None:
    if not issubclass(network, SteppedNetwork):
        assert network.locality is not Locality.GLOBAL
        return
    picture = torch.rand(3, 75, 41)
    whole, _ = Restorer(build(network), CPU, precision="fp32", tile="off").restore(picture)
    for tile in (16, 23):
        banded, run = Restorer(build(network), CPU, precision="fp32", tile=tile).restore(picture)
        assert run.tile == tile
        torch.testing.assert_close(banded, whole, rtol=0, atol=1e-5)


def published_weights(shared: Path) -> dict[str, dict[str, torch.Tensor]]:
    official = shared / "weights" / "official"
    return {
        "safmn-ntire": torch.load(official / "SAFMN_NTIRE_ESR_x4.pth", weights_only=True)["params"],
        "safmnpp": torch.load(official / "team23_safmnpp.pth", weights_only=True)["params"],
        "light-safmnpp": torch.load(official / "light_safmnpp.pth", weights_only=True)["params"],
        "plainusr": torch.load(official / "PlainUSRM_Rep_x4.pth", weights_only=True),
    }


def load_picture(path: Path, height: int, width: int) -> torch.Tensor:
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)[:height, :width] / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)


def check_tiles(state: StateDict, picture: torch.Tensor) -> None:
    """Check that the halo suits trained weights: half a level at most, one level after rounding in 0.2 % of values."""
    whole, _ = Restorer(build_network(state), CPU, precision="fp32", tile="off").restore(picture)
    tiled, run = Restorer(build_network(state), CPU, precision="fp32", tile=64).restore(picture)
    assert run.tile == round_up(64, build_network(state).grid)
    assert (tiled - whole).abs().max() <= HALF_A_LEVEL
    levels = (tiled.clamp(0, 1) * 255).round() - (whole.clamp(0, 1) * 255).round()
    assert levels.abs().max() <= 1
    assert (levels != 0).float().mean() <= 0.002


@pytest.mark.parametrize("card", [card for card in CARDS if card.embedded], ids=lambda card: card.name)
def test_tiles_equal_the_whole_with_the_weights_of_the_package(card: ModelCard) -> None:
    for height, width in ((97, 131), (64, 240)):
        check_tiles(load_card(card).state, load_picture(ROOT / "docs" / "otter.png", height, width))


@pytest.mark.parametrize("architecture", ["safmn-ntire", "safmnpp", "light-safmnpp", "plainusr"])
def test_tiles_equal_the_whole_with_published_weights(architecture: str, shared: Path) -> None:
    state = published_weights(shared)[architecture]
    assert build_network(state).locality is Locality.EXACT
    for name, size in (("100075.jpg", (200, 301)), ("101027.jpg", (64, 479)), ("105053.jpg", (321, 67))):
        path = shared / "data" / "photos" / "bsds" / name
        check_tiles(state, load_picture(path, *size))


@each_network
@pytest.mark.parametrize("shape", [(), (0,), (0, 0, 0, 0), (1,)])
def test_impossible_shapes_are_an_error_of_the_weights(network: type[Network], shape: tuple[int, ...]) -> None:
    state = {name: torch.zeros(shape) for name in build(network).state_dict()}
    with pytest.raises(StateDictError, match=network.architecture):
        build_network(state)
