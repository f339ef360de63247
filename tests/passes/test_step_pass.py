"""A picture through a network that looks at the whole of it."""

from __future__ import annotations

import math

import pytest
import torch

from restore_cli.device import Device
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.networks.darkir import DarkIR
from restore_cli.passes import step_pass
from restore_cli.restorer import Restorer
from restore_cli.tiling import round_up

CPU = Device(torch.device("cpu"), has_bf16=True)


def build() -> DarkIR:
    torch.manual_seed(5)
    network = DarkIR(4, enc_blk_nums=(1, 1), dec_blk_nums=(1, 1), middle_blk_num_enc=1, middle_blk_num_dec=1)
    for name, parameter in network.named_parameters():
        if name.endswith(("gamma", "beta")):
            torch.nn.init.normal_(parameter, std=0.3)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(1, 1), (1, 150), (133, 3), (65, 129)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_result_does_not_depend_on_the_tile(size: tuple[int, int], precision: str) -> None:
    picture = torch.rand(3, *size) * 0.2
    whole, run = Restorer(build(), CPU, precision=precision, tile="off").restore(picture)
    assert run.tile is None
    assert whole.shape == picture.shape
    for tile in ("auto", 16, 32):
        result, run = Restorer(build(), CPU, precision=precision, tile=tile).restore(picture)
        is_whole = tile == "auto" or tile**2 >= math.prod(round_up(length, build().grid) for length in size)
        assert run.tile == (None if is_whole else tile)
        assert (result - whole).abs().max() < (1e-5 if precision == "fp32" else 0.02)


def test_the_side_of_a_tile_is_told() -> None:
    _, run = Restorer(build(), CPU, precision="fp32", tile=32).restore(torch.rand(3, 64, 64))
    assert run.tile == 32


def test_the_picture_is_not_changed() -> None:
    picture = torch.rand(3, 64, 64)
    before = picture.clone()
    Restorer(build(), CPU, precision="fp32", tile=16).restore(picture)
    assert torch.equal(picture, before)


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    Restorer(build(), CPU, precision="fp32", tile=16).restore(torch.rand(3, 96, 80), shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 50
    assert shares[-1] == pytest.approx(1, abs=0.02)
    assert shares[len(shares) // 2] < 0.9


@pytest.mark.parametrize(("free", "homes"), [(10**9, ["meta", "cpu"]), (10**4, ["cpu"])])
def test_features_lie_where_they_fit(free: int, homes: list[str]) -> None:
    class Small(Device):
        def free_memory(self) -> int:
            return free

    device = Small(torch.device("meta"), has_bf16=False)
    one = step_pass.StepPass(torch.rand(1, 3, 64, 64), build(), device, "auto", effort_per_pixel=lambda: 1)
    assert one._choose_homes() == [torch.device(home) for home in homes]


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: out of memory"), DeviceError("out of memory")])
def test_features_go_to_the_host_when_the_device_runs_out(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(torch.device("cpu"), has_bf16=False)
    one = step_pass.StepPass(torch.rand(1, 3, 64, 64), build(), device, 32, effort_per_pixel=lambda: 1)
    expected, _ = one.run(lambda share: None)
    inner = one._with_features_on
    homes: list[str] = []

    def fail_on_the_device(home: torch.device, progress: object) -> object:
        homes.append(str(home))
        if home.type == "meta":
            raise error
        return inner(home, lambda share: None)

    monkeypatch.setattr(
        step_pass.StepPass, "_with_features_on", lambda self, *arguments: fail_on_the_device(*arguments)
    )
    monkeypatch.setattr(step_pass.StepPass, "_choose_homes", lambda self: [torch.device("meta"), torch.device("cpu")])
    result, _ = one.run(lambda share: None)
    assert homes == ["meta", "cpu"]
    assert torch.equal(result, expected)


@pytest.mark.parametrize(("tile", "hint"), [("off", "--tile auto"), ("auto", "smaller picture")])
def test_lack_of_memory_is_told(tile: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build()

    def fail(*arguments: object) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(DarkIR, "_decode", fail)
    with pytest.raises(DeviceError, match="cpu is out of memory with 64x32 pixels") as caught:
        Restorer(network, CPU, precision="fp32", tile=tile).restore(torch.rand(3, 32, 64))
    assert hint in caught.value.hint


def test_values_that_are_not_finite_are_told() -> None:
    network = build()
    network.ending.bias.fill_(float("nan"))
    with pytest.raises(NotFiniteError):
        Restorer(network, CPU, precision="fp32").restore(torch.rand(3, 16, 16))
