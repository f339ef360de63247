"""Fixtures that several test modules use."""

from __future__ import annotations

import builtins
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from restore_cli.device import Device

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def pytest_configure() -> None:
    """Heed SIGINT, which a shell without job control lets programs in the background ignore, and this one then does.

    Tests that run side by side, and the processes that they start, compute on one core each.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with golden tensors, published weights and photographs; its tests skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared with golden tensors, published weights and photographs")
    return SHARED


@pytest.fixture(autouse=True)
def private_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's caches out of every test; return the folder that stands in for this program's."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RESTORE_CACHE", str(cache))
    monkeypatch.setenv("HF_HOME", str(cache / "huggingface"))
    return cache


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small colourful PNG with smooth and sharp parts, 45x37 pixels, off every network's grid."""
    path = tmp_path / "photo.png"
    Image.fromarray(draw_photo(37, 45)).save(path)
    return path


def draw_photo(height: int, width: int) -> np.ndarray:
    """Draw h, w, 3 uint8 samples: gradients, a disc and some noise, always the same."""
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    disc = ((rows - 0.4) ** 2 + (columns - 0.5) ** 2 < 0.06)[..., None] * np.array([90, -60, 40])
    noise = np.random.default_rng(7).normal(0, 4, (height, width, 3))
    colour = np.stack([200 * rows, 180 * columns, 120 + 80 * np.sin(9 * rows * columns)], axis=2)
    return np.clip(colour + disc + noise, 0, 255).astype(np.uint8)


class Card(Device):
    """The processor in the part of a graphics card, with 16 GiB unless told otherwise."""

    free = 16 << 30

    @property
    def is_host(self) -> bool:
        return False

    def free_memory(self) -> int:
        return Card.free


@pytest.fixture
def card() -> Card:
    """A graphics card that is the processor; `type(card).free` are its free bytes."""
    return Card(torch.device("cpu"), has_bf16=True)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Let the test read the files that it gives, by path, and no others."""

    def run(files: dict[str, str]) -> None:
        def fake_open(path: str, *_: Any, **__: Any) -> io.StringIO:
            if path not in files:
                raise FileNotFoundError(path)
            return io.StringIO(files[path])

        monkeypatch.setattr(builtins, "open", fake_open)

    return run


Disturb = Callable[[nn.Module], nn.Module]


@pytest.fixture
def disturb() -> Disturb:
    """Give random values to what is 0 or 1 in a new module, as training does, and turn to evaluation."""

    def run(module: nn.Module) -> nn.Module:
        torch.manual_seed(2)
        for parameter in module.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.2)
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.uniform_(norm.weight, -1.5, 1.5)
                nn.init.normal_(norm.running_mean, std=0.3)
                nn.init.uniform_(norm.running_var, 0.5, 2)
        return module.eval().requires_grad_(False)

    return run


Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def restore(tmp_path: Path) -> Run:
    """Run the command line in a process of its own, in `tmp_path`; returns the completed process, output as bytes."""

    def run(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "restore_cli", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=os.environ | environment,
            timeout=240,
        )

    return run
