"""Pictures go to the one of two networks that suits how their files were compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import NotFiniteError
from restore_cli.networks import Network, Part
from restore_cli.picture.assembling import PictureAssembler
from restore_cli.picture.compression import Compression
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks.matching import MatchingUpscaler
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.task import GroupingTask, StreamingTask
from restore_cli.tasks.upscale import Upscaler

CLEAN = [None, Compression("JPEG", 93), Compression("JPEG", 100)]
COMPRESSED = [
    Compression("JPEG", 1),
    Compression("JPEG", 92),
    Compression("lossy WebP"),
    Compression("AVIF"),
]


class Adding(Network):
    """Adds a value, and cannot do so to white; makes blocks of `scale` pixels of every pixel."""

    architecture = "adding"
    signature = frozenset()

    def __init__(self, value: float, scale: int = 1) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = scale, 1, 0, 1, 100
        self.value = value

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        larger = x.repeat_interleave(self.scale, dim=2).repeat_interleave(self.scale, dim=3)
        return torch.where(larger == 1, torch.nan, larger + self.value)


def upscaler(levels: int, model: str, *, scale: int = 1, wanted: float = 1) -> Upscaler:
    restorer = Restorer(Adding(levels / 255, scale), Device(torch.device("cpu"), has_bf16=False))
    return Upscaler(restorer, Sizing(scale=wanted), model=model)


class Two:
    """A matching upscaler: it adds a level to clean pictures and two to compressed ones."""

    def __init__(self) -> None:
        self.loaded = 0
        self.task = MatchingUpscaler(upscaler(1, "clean"), self._load)

    def _load(self) -> Upscaler:
        self.loaded += 1
        return upscaler(2, "compressed")


@pytest.fixture
def two() -> Two:
    return Two()


def grey(value: int, compression: Compression | None = None) -> Picture:
    return Picture(np.full((8, 9, 3), value, np.uint8), compression=compression)


@pytest.mark.parametrize(
    ("compression", "levels", "model"),
    [*((kind, 1, "clean") for kind in CLEAN), *((kind, 2, "compressed") for kind in COMPRESSED)],
)
def test_each_kind_has_its_network(compression: Compression | None, levels: int, model: str, two: Two) -> None:
    assert isinstance(two.task, StreamingTask)
    result, run = two.task(grey(10, compression))
    assert (result.pixels == 10 + levels).all()
    assert run.model == model
    assembler = PictureAssembler(8)
    run = two.task.stream(grey(10, compression), assembler.add)
    assert (assembler.picture.pixels == 10 + levels).all()
    assert run.model == model


def test_the_second_network_is_loaded_once_and_only_if_it_is_needed(two: Two) -> None:
    two.task(grey(0))
    assert two.loaded == 0
    for _ in range(2):
        two.task(grey(0, COMPRESSED[0]))
    assert two.loaded == 1


def test_a_result_shows_no_more_how_its_file_was_compressed(two: Two) -> None:
    once, _ = two.task(grey(10, COMPRESSED[0]))
    _, run = two.task(once)
    assert run.model == "clean"


@pytest.mark.parametrize("wanted", [1.5, 2, 3])
def test_compressed_pictures_go_there_in_one_pass_or_several(wanted: float) -> None:
    clean, compressed = (upscaler(1, name, scale=2, wanted=wanted) for name in ("clean", "compressed"))
    task = MatchingUpscaler(clean, lambda: compressed)
    result, run = task(grey(10, COMPRESSED[0]))
    assert run.model == "compressed"
    assert result.pixels.shape == (8 * wanted, round(9 * wanted), 3)


def test_a_group_is_parted_and_comes_back_in_order(two: Two) -> None:
    assert isinstance(two.task, GroupingTask)
    kinds = [None, COMPRESSED[0], COMPRESSED[1], None, COMPRESSED[2]]
    outcomes = two.task.restore_group([grey(10 * index, kind) for index, kind in enumerate(kinds)])
    found = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
    assert [int(picture.pixels.min()) for picture, _ in found] == [1, 12, 22, 31, 42]
    assert [run.model for _, run in found] == ["clean", "compressed", "compressed", "clean", "compressed"]


def test_a_failure_in_a_group_stands_in_its_place(two: Two) -> None:
    first, failed, last = two.task.restore_group([grey(0, COMPRESSED[0]), grey(255, COMPRESSED[0]), grey(3)])
    assert isinstance(failed, NotFiniteError)
    assert isinstance(first, tuple)
    assert isinstance(last, tuple)
    assert last[1].model == "clean"


def test_sizes_and_names_are_those_of_the_clean_one(two: Two) -> None:
    assert two.task.output_size(8, 9) == two.task.clean.output_size(8, 9)
    assert two.task.group_size(8, 9) == two.task.clean.group_size(8, 9)
    assert (two.task.model, two.task.device) == ("clean", two.task.clean.device)
