"""Planes on the host, and in a scratch file where memory is short."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
import torch

from restore_cli import planes
from restore_cli.device import Device
from restore_cli.errors import DeviceError
from restore_cli.networks.darkir import DarkIR
from restore_cli.restorer import Restorer


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without free memory, and its temporary folder."""
    monkeypatch.setattr(planes, "free_host_memory", lambda: 0)
    monkeypatch.setattr(planes, "KEPT_FREE", 0)
    monkeypatch.setattr(planes, "OWN_MAPPING", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("side", [3, 6000])
def test_planes_in_memory_hold_what_is_written(dtype: torch.dtype, side: int) -> None:
    made = planes.empty_planes((side, side), dtype)
    made.fill_(3)
    assert made.dtype == dtype
    assert made.shape == (side, side)
    assert made[-1, -1] == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_planes_in_a_scratch_file_hold_what_is_written(dtype: torch.dtype, scarce: Path) -> None:
    made = planes.empty_planes((1, 7, 5, 3), dtype)
    assert made.shape == (1, 7, 5, 3)
    assert made.dtype == dtype
    made.fill_(3)
    assert (made == 3).all()
    assert not list(scarce.iterdir()), "nothing is left behind, even if the process is killed"


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
    scratch = planes._in_scratch_file
    monkeypatch.setattr(planes, "_in_scratch_file", lambda *sizes: used.append(1) or scratch(*sizes))
    result, _ = restorer.restore(picture)
    assert used
    assert torch.equal(result, expected)


def test_a_full_disk_is_told_before_work(monkeypatch: pytest.MonkeyPatch, scarce: Path) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(DeviceError, match=r"fit neither memory nor .*: No space left on device"):
        planes.empty_planes((1024, 1024), torch.float32)
    assert not list(scarce.iterdir())
