"""Several tasks one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from restore_cli.picture.picture import Metadata, Picture
from restore_cli.restorer import Run
from restore_cli.scratch import ArrayStorage
from restore_cli.tasks.chain import Chain

Progress = Callable[[float], None]


class Factor:
    """Multiplies values and repeats pixels."""

    device = "cpu"

    def __init__(self, factor: float, scale: int = 1, *, precision: str = "fp32", tile: int | None = None) -> None:
        self.factor, self.scale, self.precision, self.tile = factor, scale, precision, tile
        self.model = f"m{factor:g}"
        self.seen: list[Picture] = []

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        return (height * self.scale, width * self.scale) if self.scale else None

    def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
        self.seen.append(picture)
        progress(1)
        pixels = np.rint(picture.pixels * self.factor).astype(picture.pixels.dtype)
        pixels = pixels.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        return replace(picture, pixels=pixels), Run(self.precision, self.tile, (self.model,))


def test_nothing_is_rounded_to_8_bits_on_the_way() -> None:
    pixels = np.arange(255, dtype=np.uint8).reshape(15, 17, 1)
    result, _ = Chain([Factor(1 / 8), Factor(8)])(Picture(pixels))
    assert result.pixels.dtype == np.uint8
    assert (result.pixels == pixels).all()


def test_the_result_lies_where_the_picture_does() -> None:
    class Watched(ArrayStorage):
        def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
            made.append((shape, dtype))
            return super().empty(shape, dtype)

    made: list[tuple[tuple[int, ...], DTypeLike]] = []
    picture = Picture(np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.uint8), storage=Watched(0))
    Chain([Factor(1)])(picture)
    shapes = {(3, 4, 3), (3, 4)}
    assert {shape for shape, dtype in made if dtype == np.uint16} == shapes
    assert {shape for shape, dtype in made if dtype == np.uint8} == shapes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bits_and_metadata_stay(dtype: type[np.unsignedinteger]) -> None:
    metadata = Metadata(exif=b"MM\0*", icc=b"profile")
    full = np.iinfo(dtype).max
    picture = Picture(np.full((3, 4, 3), full // 4, dtype), np.full((3, 4), full, dtype), metadata=metadata)
    result, _ = Chain([Factor(2), Factor(1)])(picture)
    assert result.pixels.dtype == dtype
    assert result.alpha is not None
    assert (result.alpha == full).all()
    assert result.metadata is metadata


def test_sizes_follow_from_step_to_step() -> None:
    chain = Chain([Factor(1, 2), Factor(1, 0), Factor(1, 3)])
    picture = Picture(np.zeros((3, 4, 3), np.uint8))
    assert chain.output_size(3, 4) == (18, 24)
    result, run = chain(picture)
    assert result.pixels.shape == (18, 24, 3)
    assert run.notes == ("m1", "m1"), "a step whose size is reached is passed over"
    assert run.model == "m1+m1"


def test_a_picture_that_no_step_changes_is_left_alone() -> None:
    assert Chain([Factor(1, 0), Factor(1, 0)]).output_size(3, 4) is None


def test_a_step_that_chose_its_model_tells_which() -> None:
    class Choosing(Factor):
        def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
            result, run = super().__call__(picture, progress)
            return result, replace(run, model="chosen")

    _, run = Chain([Factor(2), Choosing(1)])(Picture(np.zeros((3, 4, 3), np.uint8)))
    assert run.model == "m2+chosen"


def test_what_was_done_is_told_of_all() -> None:
    tasks = [
        Factor(0.5, precision="fp32"),
        Factor(2, precision="bf16", tile=512),
        Factor(1, precision="fp32", tile=256),
    ]
    chain = Chain(tasks)
    assert chain.model == "m0.5+m2+m1"
    _, run = chain(Picture(np.zeros((3, 4, 3), np.uint8)))
    assert run == Run("fp32+bf16", 256, ("m0.5", "m2", "m1"), "m0.5+m2+m1")


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    Chain([Factor(1), Factor(1)])(Picture(np.zeros((3, 4, 3), np.uint8)), shares.append)
    assert shares == [0.5, 1.0]
