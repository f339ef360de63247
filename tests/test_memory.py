"""Peak memory of the whole program, measured from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from restore_cli.heap import trim_heap
from restore_cli.memory import MEBIBYTE, WITHOUT_LIMIT, MemoryBudget, resident_memory
from restore_cli.networks.light_safmnpp import LightSAFMNPP
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import measure_picture
from restore_cli.picture.writing import write_picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")

PROGRAM = """
import sys
from restore_cli.cli.app import run
code = run(sys.argv[1:])
fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(fields["VmHWM"].split()[0]) * 1024)
sys.exit(code)
"""
"""Prints the most memory that it had since it began; what the system says of a process counts its parent's, too."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a network of the smallest kind, and a photograph of three megapixels."""
    folder = tmp_path_factory.mktemp("memory")
    torch.manual_seed(0)
    save_file(LightSAFMNPP().state_dict(), folder / "light.safetensors")
    rows, columns = np.mgrid[0:1500, 0:2000]
    pixels = np.stack([rows // 8, columns // 8, (rows + columns) // 16], axis=2).astype(np.uint8)
    write_picture(Picture(pixels), folder / "photo.jpg", format_by_name("jpeg"))
    write_picture(Picture(pixels[:300, :400]), folder / "small.jpg", format_by_name("jpeg"))
    return folder


def restore(
    folder: Path,
    limit: str,
    target: str,
    *more: str,
    source: str = "photo.jpg",
    command: tuple[str, ...] = ("upscale", "--model", "light.safetensors"),
) -> tuple[subprocess.CompletedProcess[str], int]:
    arguments = [*command, source, "--memory-limit", limit, "-o", target, "--overwrite", "-q", *more]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, "--threads", "1"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done, int(done.stdout or 0)


@pytest.mark.parametrize(("limit", "target"), [(560, "a.png"), (700, "a.tif"), (1000, "a.jpg")])
def test_a_limit_is_kept(limit: int, target: str, folder: Path) -> None:
    done, peak = restore(folder, f"{limit}M", target)
    assert done.returncode == 0, done.stderr
    assert peak <= 1.1 * limit * MEBIBYTE
    assert measure_picture(folder / target) == (6000, 8000)


def test_a_limit_is_kept_where_the_result_is_reduced(folder: Path) -> None:
    done, peak = restore(folder, "700M", "b.png", "--scale", "3", "--strength", "0.7")
    assert done.returncode == 0, done.stderr
    assert peak <= 1.1 * 700 * MEBIBYTE
    assert measure_picture(folder / "b.png") == (4500, 6000)


@pytest.mark.parametrize("command", [("lowlight", "--strength", "1"), ("denoise",)], ids=lambda command: command[0])
def test_a_limit_is_kept_by_networks_that_look_at_the_whole_picture(command: tuple[str, ...], folder: Path) -> None:
    target = f"{command[0]}.png"
    done, _ = restore(folder, "400M", target, command=command)
    assert done.returncode == 4
    needed = done.stderr.split("--memory-limit ")[1].split()[0]
    assert 400 < int(needed[:-1]) < 800
    assert not (folder / target).exists()
    done, peak = restore(folder, needed, target, command=command)
    assert done.returncode == 0, done.stderr
    assert peak <= 1.1 * int(needed[:-1]) * MEBIBYTE


def test_a_limit_below_what_is_needed_is_one_line_that_names_that(folder: Path) -> None:
    done, _ = restore(folder, "200M", "c.png", source="small.jpg")
    assert done.returncode == 4
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: the memory limit of 200 MiB is too small")
    needed = hint.split("--memory-limit ")[1].split()[0]
    assert not (folder / "c.png").exists()
    done, peak = restore(folder, needed, "c.png", source="small.jpg")
    assert done.returncode == 0, done.stderr
    assert peak <= 1.1 * int(needed[:-1]) * MEBIBYTE


def test_a_limit_below_what_the_program_takes_is_told_as_such(folder: Path) -> None:
    done, _ = restore(folder, "60M", "e.png", source="small.jpg", command=("dejpeg",))
    assert done.returncode == 4
    assert done.stderr.startswith("error: the memory limit of 60 MiB is too small")


def test_what_must_be_encoded_whole_is_refused_before_the_work(folder: Path) -> None:
    done, _ = restore(folder, "500M", "d.webp")
    assert done.returncode == 4
    assert "WEBP is encoded in one piece" in done.stderr
    assert "choose TIFF or PNG" in done.stderr


def test_the_limit_counts_what_is_resident() -> None:
    trim_heap()
    budget = MemoryBudget(resident_memory() + (100 << 20))
    assert 0 < budget.left() < 110 << 20
    assert budget.free() < 110 << 20
    assert MemoryBudget(1).left() == MemoryBudget(1).free() == 0


def test_what_is_free_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.memory.free_host_memory", lambda: 12 << 30)
    assert WITHOUT_LIMIT.free() == 12 << 30
    assert MemoryBudget(sharers=4).free() == 3 << 30
    assert MemoryBudget(1 << 60, sharers=4).free() == 3 << 30
