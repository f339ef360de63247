"""How many inputs go through a network together."""

from __future__ import annotations

import pytest
import torch

from restore_cli.device import Device
from restore_cli.networks.safmnpp import SAFMNPP
from restore_cli.passes.stacks import LARGEST_STACK, plan_stack


class Somewhere(Device):
    """A device with `free` bytes, a processor or a card."""

    free = 1 << 40
    host = True

    @property
    def is_host(self) -> bool:
        return Somewhere.host

    def free_memory(self) -> int:
        return Somewhere.free


DEVICE = Somewhere(torch.device("cpu"), has_bf16=False)


@pytest.fixture
def network() -> SAFMNPP:
    built = SAFMNPP(dim=12, n_blocks=1)
    built.bytes_per_pixel = 1000
    return built


@pytest.mark.parametrize(
    ("side", "count"), [(8, LARGEST_STACK), (32, LARGEST_STACK), (64, 16), (96, 7), (128, 4), (192, 1), (4000, 1)]
)
def test_a_processor_takes_small_pictures_together(side: int, count: int, network: SAFMNPP) -> None:
    assert plan_stack(network, DEVICE, side, side) == count


@pytest.mark.parametrize(
    ("free", "side", "count"),
    [
        (1 << 40, 256, LARGEST_STACK),
        (1 << 40, 1024, 4),
        (1 << 40, 2048, 1),
        (2 * 1000 * 256 * 256 * 5, 256, 5),
        (2 * 1000 * 256 * 256 * 5 - 1, 256, 4),
        (0, 256, 1),
    ],
)
def test_a_card_takes_what_its_memory_has_room_for(
    free: int, side: int, count: int, network: SAFMNPP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Somewhere, "host", False)
    monkeypatch.setattr(Somewhere, "free", free)
    assert plan_stack(network, DEVICE, side, side) == count


def test_a_processor_short_of_memory_takes_fewer(network: SAFMNPP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Somewhere, "free", 2 * 1000 * 64 * 64 * 3)
    assert plan_stack(network, DEVICE, 64, 64) == 3


def test_a_network_that_may_mix_pictures_takes_one(network: SAFMNPP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SAFMNPP, "treats_apart", False)
    assert plan_stack(network, DEVICE, 8, 8) == 1
