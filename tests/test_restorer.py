from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from restore_cli.device import Device, Precision
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.networks import Network, Part
from restore_cli.networks.darkir import DarkIR
from restore_cli.restorer import Restorer

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
