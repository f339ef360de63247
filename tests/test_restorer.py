from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from restore_cli.device import Device, Precision
from restore_cli.errors import DeviceError, NotFiniteError, RestoreError
from restore_cli.networks import Network, Part
from restore_cli.networks.darkir import DarkIR
from restore_cli.restorer import Restorer, Run

Done = tuple[Tensor, Run]
CPU = Device(torch.device("cpu"), has_bf16=True)


class Steep(Network):
    """Multiplies by a factor that may be beyond what half precision holds."""

    architecture = "steep"
    signature = frozenset()

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 1, 1, 1, 1, 12
        self.factor = torch.nn.Parameter(torch.tensor(factor), requires_grad=False)

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        return (x.to(self.factor.dtype) * self.factor).float()


def test_a_result_that_is_not_finite_is_done_again_in_float32_with_a_note() -> None:
    picture = torch.full((3, 8, 8), 0.5)
    restorer = Restorer(Steep(1e6), CPU, precision="fp16")
    result, run = restorer.restore(picture)
    assert torch.equal(result, picture * 1e6)
    assert run.precision is Precision.FP32
    assert run.notes == ("fp16 gave values that are not finite, so it was done again in fp32",)
    result, run = Restorer(Steep(2.0), CPU, precision="fp16").restore(picture)
    assert (run.precision, run.notes) == (Precision.FP16, ())


def test_a_result_that_is_never_finite_is_an_error() -> None:
    with pytest.raises(NotFiniteError) as caught:
        Restorer(Steep(float("nan")), CPU, precision="bf16").restore(torch.rand(3, 8, 8))
    assert caught.value.exit_code == 1


def test_auto_takes_bf16_where_the_device_has_it() -> None:
    assert Restorer(Steep(1.0), CPU).precision is Precision.BF16
    assert Restorer(Steep(1.0), Device(torch.device("cpu"), has_bf16=False)).precision is Precision.FP32


@pytest.mark.parametrize(
    ("precision", "bits", "expected"),
    [("auto", 8, "bf16"), ("auto", 16, "fp32"), ("bf16", 16, "bf16"), ("fp32", 16, "fp32")],
)
def test_deep_pictures_get_float32_unless_the_user_chose(precision: str, bits: int, expected: str) -> None:
    restorer = Restorer(Steep(1.0), CPU, precision=precision)
    chosen = restorer.for_depth(bits)
    assert chosen.precision == expected
    assert restorer.for_depth(bits) is chosen
    picture = torch.linspace(0, 1, 3 * 64).view(3, 8, 8)
    result, run = chosen.restore(picture)
    assert run.precision == expected
    assert torch.equal(result, picture) == (expected == "fp32")


def test_the_network_is_copied_once_for_results_that_are_not_finite() -> None:
    restorer = Restorer(Steep(1e6), CPU, precision="fp16")
    used = set()
    for _ in range(3):
        restorer.restore(torch.full((3, 8, 8), 0.5))
        used.add(restorer._in_float32._network)
    assert len(used) == 1


def test_the_network_that_was_given_keeps_its_precision() -> None:
    network = Steep(1.0)
    Restorer(network, CPU, precision="bf16")
    assert network.factor.dtype == torch.float32


def test_a_network_that_does_not_fit_the_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(self: Network, *_: object, **__: object) -> Network:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(Steep, "to", run_out)
    with pytest.raises(DeviceError, match="does not fit cpu") as caught:
        Restorer(Steep(1.0), CPU, precision="fp32")
    assert caught.value.exit_code == 4


def test_a_network_may_leave_reduced_precision_to_the_user() -> None:
    network = DarkIR(4, enc_blk_nums=(1,), dec_blk_nums=(1,)).eval()
    fast = Device(torch.device("cpu"), has_bf16=True)
    assert Restorer(network, fast).precision is Precision.FP32
    assert Restorer(network, fast, precision="bf16").precision is Precision.BF16


# Several pictures together


class Counting(Steep):
    """Keeps count of the pictures in each call, and has no memory for more than a few."""

    def __init__(self, factor: float, most: int = 1 << 20) -> None:
        super().__init__(factor)
        self.most = most
        self.counts: list[int] = []

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        if len(x) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        self.counts.append(len(x))
        return super().forward(x, part)


def counts_of(restorer: Restorer) -> list[int]:
    network = restorer._network
    assert isinstance(network, Counting)
    return network.counts


def done(result: Done | RestoreError) -> Done:
    assert not isinstance(result, RestoreError)
    return result


def test_pictures_go_through_together() -> None:
    pictures = [torch.rand(3, 8, 9) for _ in range(5)]
    restorer = Restorer(Counting(2.0), CPU, precision="fp32")
    results = [done(result) for result in restorer.restore_stack(pictures)]
    assert counts_of(restorer) == [5]
    for picture, (result, run) in zip(pictures, results, strict=True):
        assert torch.equal(result, 2 * picture)
        assert run == Run(Precision.FP32, None)
    assert restorer.restore_stack([]) == []


@pytest.mark.parametrize(("most", "counts"), [(4, [2, 3]), (2, [2, 1, 2]), (1, [1] * 5)])
def test_where_memory_runs_out_fewer_go_together(most: int, counts: list[int]) -> None:
    pictures = [torch.rand(3, 8, 9) for _ in range(5)]
    restorer = Restorer(Counting(2.0, most), CPU, precision="fp32")
    for picture, result in zip(pictures, restorer.restore_stack(pictures), strict=True):
        assert torch.equal(done(result)[0], 2 * picture)
    assert counts_of(restorer) == counts


def test_where_memory_runs_out_for_a_single_one_its_error_stands_in_its_place() -> None:
    restorer = Restorer(Counting(2.0, most=0), CPU, precision="fp32", tile="off")
    for result in restorer.restore_stack([torch.rand(3, 8, 9)] * 2):
        assert isinstance(result, DeviceError)


def test_a_picture_that_is_not_finite_is_done_again_and_the_others_are_not() -> None:
    dim, bright = torch.full((3, 8, 8), 0.01), torch.full((3, 8, 8), 1.8)  # 1.8 times 60000 is beyond what fp16 holds
    restorer = Restorer(Steep(60000.0), CPU, precision="fp16")
    first, second, third = (done(result) for result in restorer.restore_stack([dim, bright, dim]))
    assert (first[1], third[1]) == (Run(Precision.FP16, None),) * 2
    assert second[1].precision is Precision.FP32
    assert "done again in fp32" in second[1].notes[0]
    assert torch.isfinite(second[0]).all()


def test_a_picture_that_is_never_finite_is_an_error_in_its_place() -> None:
    pictures = [torch.rand(3, 8, 8), torch.full((3, 8, 8), torch.nan)]
    first, second = Restorer(Steep(2.0), CPU, precision="bf16").restore_stack(pictures)
    assert torch.isfinite(done(first)[0]).all()
    assert isinstance(second, NotFiniteError)


def test_pictures_larger_than_a_tile_go_alone() -> None:
    assert Restorer(Steep(1.0), CPU, tile=32).stack_size(32, 32) > 1
    assert Restorer(Steep(1.0), CPU, tile=32).stack_size(33, 8) == 1
    assert Restorer(Steep(1.0), CPU, tile="off").stack_size(33, 8) > 1
