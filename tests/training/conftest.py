"""Photographs and recipes small enough to train with in seconds."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_cli.cli.app import run
from restore_cli.training.learner import Learner

Train = Callable[..., int]

TINY = """\
name = "tiny"
summary = "a network of two channels a group"
steps = 8
seed = 3

[network]
architecture = "safmn"
dim = 8
n_blocks = 1
upscaling_factor = 2

[degradations]
kind = "bicubic"
scale = 2

[patches]
size = [8]
batch = 4

[loss]
l1 = 1.0
fft = 0.05

[optimiser]
rate = 1e-2
warmup = 2
bf16 = false
"""


def draw(height: int, width: int, seed: int) -> np.ndarray:
    """Draw h, w, 3 uint8: waves and edges, so that there is something to learn."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    angle, period = random.uniform(0, np.pi), random.uniform(5, 12)
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 2 * np.pi / period)
    colour = random.uniform(60, 190, 3) + random.uniform(20, 60, 3) * wave[..., None]
    return colour.clip(0, 255).astype(np.uint8)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with 26 pictures of 48x40, some in a folder within."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for index in range(26):
        place = folder / "more" if index % 2 else folder
        Image.fromarray(draw(40, 48, index)).save(place / f"{index:02}.png")
    return folder


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    """The recipe TINY as a file."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def train(photographs: Path, recipe_file: Path) -> Train:
    """Run the command with the tiny recipe and few words."""

    def train(output: Path, *arguments: str, data: Path = photographs) -> int:
        words = ["train", str(recipe_file), "--data", str(data), "--device", "cpu", "--threads", "1"]
        return run([*words, "-o", str(output), "--quiet", *arguments])

    return train


def reports(capsys: pytest.CaptureFixture[str]) -> list[dict[str, float]]:
    """Return the records that `--json` printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@contextmanager
def interrupted_after(steps: int) -> Iterator[None]:
    """Let a run be sent a signal after some steps, as Ctrl-C sends it."""
    learn = Learner.learn

    def learn_and_signal(self: Learner, share: float) -> tuple[float, int]:
        done = learn(self, share)
        if self.step == steps:
            signal.raise_signal(signal.SIGINT)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "learn", learn_and_signal)
        yield
