"""Planes on the host, and in a scratch file where memory is short."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import tempfile
import weakref
from pathlib import Path

import pytest
import torch

from restore_cli.device import Device
from restore_cli.errors import DeviceError, UnwritablePictureError
from restore_cli.memory import WITHOUT_LIMIT
from restore_cli.networks.darkir import DarkIR
from restore_cli.networks.denoiser import Denoiser
from restore_cli.passes import planes
from restore_cli.restorer import Restorer


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without free memory, and its temporary folder."""
    monkeypatch.setattr("restore_cli.memory.free_host_memory", lambda: 0)
    monkeypatch.setattr(planes, "KEPT_FREE", 0)
    monkeypatch.setattr(planes, "OWN_MAPPING", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("side", [3, 6000])
def test_planes_in_memory_hold_what_is_written(dtype: torch.dtype, side: int) -> None:
    made = planes.PlanePool(WITHOUT_LIMIT).empty((side, side), dtype)
    made.fill_(3)
    assert made.dtype == dtype
    assert made.shape == (side, side)
    assert made[-1, -1] == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_planes_in_a_scratch_file_hold_what_is_written(dtype: torch.dtype, scarce: Path) -> None:
    made = planes.PlanePool(WITHOUT_LIMIT).empty((1, 7, 5, 3), dtype)
    assert made.shape == (1, 7, 5, 3)
    assert made.dtype == dtype
    made.fill_(3)
    assert (made == 3).all()
    assert not list(scarce.iterdir()), "nothing is left behind, even if the process is killed"


def test_planes_that_are_gone_leave_their_memory_to_others_of_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "OWN_MAPPING", 0)
    pool = planes.PlanePool(WITHOUT_LIMIT)
    first, second = pool.empty((4, 1000), torch.float32), pool.empty((1000, 4), torch.float32)
    places = {first.data_ptr(), second.data_ptr()}
    assert len(places) == 2
    view = first.view(2, 2000)[1:]
    del first
    assert pool.empty((4000,), torch.float32).data_ptr() not in places, "a view keeps them"
    del view, second
    third, fourth = pool.empty((1, 2000), torch.complex64), pool.empty((2000,), torch.complex64)
    assert {third.data_ptr(), fourth.data_ptr()} <= places
    del third, fourth
    other = pool.empty((5000,), torch.float32)
    assert other.data_ptr() != 0
    assert not pool._free, "memory of another size goes back to the system"


def test_the_memory_of_a_picture_goes_back_with_its_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "OWN_MAPPING", 0)
    mappings: list[weakref.ref[mmap.mmap]] = []
    map_memory = planes.map_memory

    def watched(wanted: int) -> mmap.mmap:
        memory = map_memory(wanted)
        mappings.append(weakref.ref(memory))
        return memory

    monkeypatch.setattr(planes, "map_memory", watched)
    network = Denoiser(8, kinds=("sp", "sa"), folded=True).eval().requires_grad_(False)
    gc.disable()
    try:
        result, _ = Restorer(network, Device(torch.device("cpu"), has_bf16=False), tile=16).restore(
            torch.rand(3, 40, 32)
        )
        alive = [mapping for mapping in mappings if mapping() is not None]
    finally:
        gc.enable()
    assert result.shape == (3, 40, 32)
    assert len(mappings) >= 3
    assert len(alive) <= 1, "only the result's"


def test_the_result_does_not_depend_on_where_planes_lie(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    torch.manual_seed(2)
    network = DarkIR(4, enc_blk_nums=(1,), dec_blk_nums=(1,)).eval().requires_grad_(False)
    restorer = Restorer(network, Device(torch.device("cpu"), has_bf16=False), tile=16)
    picture = torch.rand(3, 40, 30)
    expected, _ = restorer.restore(picture)
    request.getfixturevalue("scarce")
    used: list[int] = []
    scratch = planes._map_scratch
    monkeypatch.setattr(planes, "_map_scratch", lambda *sizes: used.append(1) or scratch(*sizes))
    result, _ = restorer.restore(picture)
    assert used
    assert torch.equal(result, expected)


def test_a_full_disk_is_told_before_work(monkeypatch: pytest.MonkeyPatch, scarce: Path) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(DeviceError, match=r"fit neither memory nor .*: No space left on device"):
        planes.PlanePool(WITHOUT_LIMIT).empty((1024, 1024), torch.float32)
    assert not list(scarce.iterdir())


def test_a_folder_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, scarce: Path) -> None:
    monkeypatch.setenv("RESTORE_TMPDIR", str(scarce / "missing"))
    with pytest.raises(UnwritablePictureError, match=r"cannot make a scratch file in .*missing: No such file"):
        planes.PlanePool(WITHOUT_LIMIT).empty((1024, 1024), torch.float32)
