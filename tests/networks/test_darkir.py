"""DarkIR: exact against the original, whatever way its steps are carried out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from restore_cli.checkpoint import read_checkpoint
from restore_cli.device import Device
from restore_cli.layers.execution import IN_ONE_PIECE
from restore_cli.networks import build_network
from restore_cli.networks.darkir import DarkIR
from restore_cli.passes.bands import InBands

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "darkir.safetensors"
CPU = Device(torch.device("cpu"), has_bf16=False)
ROUNDING = 2e-5
"""The golden lies up to 1.7e-5 from the result in float64, at values up to 12.5: eight units in their last place."""


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN)


def build(golden: dict[str, torch.Tensor]) -> DarkIR:
    network = build_network({k.removeprefix("weights/"): v for k, v in golden.items() if k.startswith("weights/")})
    assert isinstance(network, DarkIR)
    return network


def side_output(network: DarkIR, x: torch.Tensor) -> torch.Tensor:
    light, _ = network._encode(x, IN_ONE_PIECE)
    return network.side_out(light)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["case0", "case1"])
def test_equals_the_original(case: str, dtype: torch.dtype, golden: dict[str, torch.Tensor]) -> None:
    network = build(golden).to(dtype)
    result = network(golden[f"{case}/input"].to(dtype)).float()
    torch.testing.assert_close(result, golden[f"{case}/output"], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("case", ["case0", "case1"])
def test_float32_is_as_exact_as_the_original(case: str, golden: dict[str, torch.Tensor]) -> None:
    x = golden[f"{case}/input"]
    exact = build(golden).double()(x.double())
    torch.testing.assert_close(build(golden)(x).double(), exact, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("case", ["case0", "case1"])
def test_the_side_output_equals_the_original(case: str, golden: dict[str, torch.Tensor]) -> None:
    x = golden[f"{case}/input"]
    x = torch.nn.functional.pad(x, (0, -x.shape[3] % 8, 0, -x.shape[2] % 8))
    torch.testing.assert_close(side_output(build(golden), x), golden[f"{case}/side_output"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("pixels", [1, 100, 64 * 16, 10**6])
@pytest.mark.parametrize("case", ["case0", "case1"])
def test_bands_of_any_size_are_as_exact_as_one_piece(case: str, pixels: int, golden: dict[str, torch.Tensor]) -> None:
    x = golden[f"{case}/input"]
    exact = build(golden).double()(x.double())
    bands = InBands(CPU, home=torch.device("cpu"), pixels=pixels)
    torch.testing.assert_close(build(golden).restore(x.clone(), bands).double(), exact, rtol=0, atol=ROUNDING)


def test_a_batch_gives_what_each_of_its_pictures_does(golden: dict[str, torch.Tensor]) -> None:
    network = build(golden)
    batch = torch.rand(2, 3, 24, 32)
    bands = InBands(CPU, home=torch.device("cpu"), pixels=100)
    both = network(batch)
    torch.testing.assert_close(both[1:], network(batch[1:]), rtol=0, atol=ROUNDING)
    torch.testing.assert_close(network.restore(batch, bands), both, rtol=0, atol=ROUNDING)


def test_a_picture_on_the_grid_is_not_copied(golden: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    network, seen = build(golden), []
    encode = network._encode
    monkeypatch.setattr(network, "_encode", lambda x, executor: seen.append(x) or encode(x, executor))
    x = torch.rand(1, 3, 16, 24)
    network.restore(x, IN_ONE_PIECE)
    network.restore(x[..., :23], IN_ONE_PIECE)
    assert seen[0] is x
    assert seen[1].shape == x.shape


@pytest.mark.parametrize("pixels", [None, 100])
def test_a_black_picture_has_no_phases_and_stays_finite(pixels: int | None, golden: dict[str, torch.Tensor]) -> None:
    network = build(golden)
    x = torch.zeros(1, 3, 32, 48)
    bands = InBands(CPU, home=torch.device("cpu"), pixels=pixels) if pixels else None
    result = network(x) if bands is None else network.restore(x, bands)
    assert torch.isfinite(result).all()


def test_it_can_be_trained() -> None:
    torch.manual_seed(0)
    network = DarkIR(4, enc_blk_nums=(1,), dec_blk_nums=(1,), middle_blk_num_enc=1, middle_blk_num_dec=1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    x, wanted = torch.rand(2, 3, 16, 16) * 0.1, torch.rand(2, 3, 16, 16)
    losses = []
    for _ in range(12):
        loss = (network(x) - wanted).abs().mean() + (side_output(network, x) - 0.5).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("width", "parameters"),
    [(16, 871_574), (32, 3_321_638), (64, 12_957_254)],
)
def test_published_sizes_are_read_from_the_weights(width: int, parameters: int, tmp_path: Path) -> None:
    state = DarkIR(width).state_dict()
    torch.save({"params": state}, tmp_path / "DarkIR_384.pt")
    network = build_network(read_checkpoint(tmp_path / "DarkIR_384.pt", "params"))
    assert isinstance(network, DarkIR)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network(torch.rand(1, 3, 16, 8)).shape == (1, 3, 16, 8)


@pytest.mark.parametrize("dilations", [(1,), (1, 4), (1, 4, 9)])
@pytest.mark.parametrize("extra", [True, False])
def test_variants_are_read_from_the_weights(dilations: tuple[int, ...], extra: bool) -> None:
    original = DarkIR(4, enc_blk_nums=(1, 1), dec_blk_nums=(1, 1), dilations=dilations, extra_depth_wise=extra)
    x = torch.rand(1, 3, 20, 28)
    assert torch.equal(build_network(original.state_dict())(x), original(x))
