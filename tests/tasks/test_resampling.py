from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.tasks.resampling import UnitValues, resize
from restore_cli.tiling import Box, plan_cores

sides = st.integers(1, 40)


@settings(deadline=None)
@given(
    before=st.tuples(sides, sides),
    after=st.tuples(sides, sides),
    channels=st.integers(1, 4),
    value=st.floats(0, 1, width=32),
)
def test_a_constant_stays_constant_at_exactly_the_size(
    before: tuple[int, int], after: tuple[int, int], channels: int, value: float
) -> None:
    resized = resize(np.full((*before, channels), value, np.float32), *after)
    assert resized.shape == (*after, channels)
    assert resized.dtype == np.float32
    assert np.abs(resized - value).max() < 1e-6


def test_the_same_size_changes_nothing() -> None:
    planes = np.random.default_rng(1).random((9, 13, 3), dtype=np.float32)
    assert (resize(planes, 9, 13) == planes).all()


def test_one_pixel_fills_any_size() -> None:
    pixel = np.array([[[0.25, 0.5, 1.0]]], np.float32)
    for size in ((1, 1), (1, 7), (8, 1), (33, 44)):
        assert (resize(pixel, *size) == pixel).all()


def test_channels_do_not_mix() -> None:
    planes = np.zeros((8, 8, 3), np.float32)
    planes[..., 1] = np.random.default_rng(2).random((8, 8))
    resized = resize(planes, 16, 20)
    assert (resized[..., [0, 2]] == 0).all()
    assert (resized[..., 1] == resize(planes[..., 1:2], 16, 20)[..., 0]).all()


@pytest.mark.parametrize("size", [(16, 24), (6, 5)])
def test_a_mirrored_picture_gives_the_mirrored_result(size: tuple[int, int]) -> None:
    planes = np.random.default_rng(3).random((8, 12, 2), dtype=np.float32)
    resized = resize(planes, *size)
    assert np.abs(resize(planes[:, ::-1], *size)[:, ::-1] - resized).max() < 1e-6
    assert np.abs(resize(planes.transpose(1, 0, 2), *size[::-1]).transpose(1, 0, 2) - resized).max() < 1e-5


def test_a_slope_stays_straight() -> None:
    slope = np.tile(np.arange(16, dtype=np.float32)[None, :, None], (4, 1, 1))
    grown = resize(slope, 4, 64)[0, 16:-16, 0]
    assert np.abs(grown - ((np.arange(16, 48) + 0.5) / 4 - 0.5)).max() < 1e-4
    reduced = resize(resize(slope, 4, 64), 4, 16)[0, 4:-4, 0]
    assert np.abs(reduced - slope[0, 4:-4, 0]).max() < 1e-2


def test_fine_detail_is_averaged_and_not_skipped() -> None:
    stripes = np.tile(np.array([0, 1], np.float32)[None, :, None], (4, 60, 1))
    assert np.abs(resize(stripes, 4, 20)[:, 3:-3] - 0.5).max() < 0.05


def test_integers_are_taken_as_they_are() -> None:
    differences = np.full((5, 5, 1), -70_000, np.int32)
    assert (resize(differences, 10, 10) == -70_000).all()


@settings(deadline=None)
@given(before=st.tuples(sides, sides), after=st.tuples(sides, sides), side=st.integers(1, 25))
def test_parts_equal_the_whole(before: tuple[int, int], after: tuple[int, int], side: int) -> None:
    planes = np.random.default_rng(5).random((*before, 2), dtype=np.float32)
    whole = resize(planes, *after)
    parts = np.full_like(whole, np.nan)
    for part in plan_cores(Box(0, 0, *after), side, 1):
        parts[part.slices] = resize(planes, *after, part)
    if all(have <= wanted for have, wanted in zip(before, after, strict=True)):
        assert (parts == whole).all()
    assert np.abs(parts - whole).max() <= 4e-7


@pytest.mark.parametrize("size", [(10_000, 27_013), (10_000, 9_973)])
def test_parts_far_out_in_a_large_picture_equal_the_whole(size: tuple[int, int]) -> None:
    have, wanted = size
    planes = np.random.default_rng(8).random((have, 1, 1), dtype=np.float32)
    part = Box(wanted - 700, 0, 650, 1)
    assert (resize(planes, wanted, 1, part) == resize(planes, wanted, 1)[part.top : part.bottom]).all()


def test_samples_are_read_as_shares_of_white() -> None:
    values = UnitValues(np.array([[[0], [255]], [[51], [102]]], np.uint8))
    assert values.shape == (2, 2, 1)
    assert values[slice(1, 2), slice(0, 2)].ravel().tolist() == pytest.approx([0.2, 0.4])
