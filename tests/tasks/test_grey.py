"""Grey pictures that are stored as colour get no tint, whatever the network makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restore_cli.device import Device
from restore_cli.networks import Network, Part
from restore_cli.networks.part import cut_core
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.scratch import ArrayStorage
from restore_cli.tasks.chain import Chain
from restore_cli.tasks.enhancers import ENHANCERS
from restore_cli.tasks.grey import without_tint
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.task import Task
from restore_cli.tasks.upscale import Upscaler

CPU = Device(torch.device("cpu"), has_bf16=False)


class Tinting(Network):
    """Enlarges, and gives the channels different values."""

    architecture = "tinting"
    signature = frozenset()

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = scale, 8, 8, 8, 100

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        tinted = x * torch.tensor([1.2, 1.0, 0.8])[:, None, None]
        return cut_core(F.interpolate(tinted, scale_factor=self.scale, mode="nearest"), part, self.scale)


def upscaler(**told: Any) -> Upscaler:
    told = {"sizing": Sizing(scale=2), "whole_bytes": 1} | told
    return Upscaler(Restorer(Tinting(2), CPU, tile=16), **told)


def enhancer(name: str, **told: Any) -> Task:
    return ENHANCERS[name](Restorer(Tinting(1), CPU), **told)  # type: ignore[index]


TASKS: dict[str, Callable[[], Task]] = {
    "lowlight": lambda: enhancer("lowlight"),
    "deblur": lambda: enhancer("deblur", strength=0.5),
    "denoise": lambda: enhancer("denoise", strength=0.5),
    "dejpeg": lambda: enhancer("dejpeg", tta=True),
    "upscale": upscaler,
    "upscale in part": lambda: upscaler(strength=0.5),
    "upscale and reduce": lambda: upscaler(sizing=Sizing(scale=1.5)),
    "upscale twice": lambda: upscaler(sizing=Sizing(scale=4)),
    "upscale averaged": lambda: upscaler(tta=True),
    "upscale in no size": lambda: upscaler(sizing=Sizing(scale=1)),
    "run": lambda: Chain([enhancer("denoise"), upscaler()]),
}


def dark(dtype: type[np.unsignedinteger[Any]]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, int(np.iinfo(dtype).max) // 10, (24, 40, 1), dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", TASKS)
def test_grey_of_three_channels_becomes_what_it_becomes_as_one(name: str, dtype: type[np.unsignedinteger[Any]]) -> None:
    task, grey = TASKS[name](), dark(dtype)
    alpha = np.full(grey.shape[:2], np.iinfo(dtype).max, dtype)
    alpha[:8, :8] = 0
    for shown in (None, alpha):
        expected, run = task(Picture(grey, shown), lambda share: None)
        result, told = task(Picture(grey.repeat(3, axis=2), shown), lambda share: None)
        assert result.pixels.shape[2] == 3
        assert result.pixels.dtype == dtype
        assert (result.pixels == expected.pixels).all()
        assert told == run
        coloured = grey.repeat(3, axis=2)
        coloured[-1, -1, 0] += 9
        assert np.ptp(task(Picture(coloured, shown), lambda share: None)[0].pixels, axis=2).max() > 0


@pytest.mark.parametrize("task", [upscaler(), enhancer("denoise")])
def test_of_a_group_the_grey_ones_stay_grey(task: Any) -> None:
    grey = dark(np.uint8)
    coloured = grey + np.arange(3, dtype=np.uint8)
    one, other, single = task.restore_group([Picture(grey.repeat(3, axis=2)), Picture(coloured), Picture(grey)])
    assert (one[0].pixels == single[0].pixels).all()
    assert one[0].pixels.shape == other[0].pixels.shape
    assert np.ptp(other[0].pixels.astype(int), axis=2).max() > 2


def test_colours_in_any_band_and_channel_count() -> None:
    for row in (0, 599):
        for channel in range(3):
            pixels = np.full((600, 1000, 3), 7, np.uint8)
            pixels[row, 5, channel] = 8
            assert without_tint(pixels, ArrayStorage()) is pixels
    assert without_tint(pixels[:599], ArrayStorage()).shape == (599, 1000, 1)


@pytest.mark.parametrize(("difference", "channels"), [(2, 1), (3, 3)])
def test_what_a_profile_rounds_is_no_colour(difference: int, channels: int) -> None:
    pixels = np.full((4, 5, 3), 700, np.uint16)
    pixels[1, 2, 1] -= difference
    assert without_tint(pixels, ArrayStorage()).shape[2] == channels
