from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.scratch import Room
from restore_cli.tasks.resampling import UnitValues, bleed_colour, resize
from restore_cli.tiling import Box, plan_cores

sides = st.integers(1, 40)


# Resizing


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


# Colours below transparency


def holed(height: int = 24, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A picture whose right half is transparent and, as programs leave it, black."""
    pixels = np.random.default_rng(4).random((height, width, 3)).astype(np.float32) / 4 + 0.5
    alpha = np.ones((height, width), np.float32)
    alpha[:, width // 2 :] = 0
    return pixels * alpha[..., None], alpha


@settings(deadline=None)
@given(height=sides, width=sides, seed=st.integers(0, 2**31))
def test_visible_colours_stay_and_holes_take_colours_that_are_there(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    alpha = (rng.random((height, width)) * (rng.random((height, width)) < 0.3)).astype(np.float32)
    pixels = rng.random((height, width, 3)).astype(np.float32)
    bled = bleed_colour(pixels, alpha)
    visible = alpha > 0
    assert bled.shape == pixels.shape
    assert (bled[visible] == pixels[visible]).all()
    if visible.any():
        assert np.isfinite(bled).all()
        assert bled.min() >= 0
        assert bled.max() <= 1


def test_a_hole_in_one_colour_takes_that_colour() -> None:
    for size in ((1, 2), (5, 5), (37, 23)):
        pixels = np.full((*size, 3), (0.2, 0.6, 0.9), np.float32)
        alpha = np.zeros(size, np.float32)
        alpha[0, 0] = 0.5
        pixels[alpha == 0] = 0
        assert np.abs(bleed_colour(pixels, alpha) - (0.2, 0.6, 0.9)).max() < 1e-6


def test_a_hole_takes_the_colours_of_its_neighbours() -> None:
    pixels = np.zeros((8, 32, 3), np.float32)
    pixels[:, :4], pixels[:, -4:] = (1, 0, 0), (0, 0, 1)
    alpha = pixels.any(axis=2).astype(np.float32)
    bled = bleed_colour(pixels, alpha)
    assert (bled[:, 4:10, 0] > 0.6).all()
    assert (bled[:, 22:28, 2] > 0.6).all()
    assert (bled[..., 1] == 0).all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_no_dark_halo_appears_at_a_hard_edge(scale: int) -> None:
    pixels, alpha = holed()
    height, width = alpha.shape
    grown_alpha = resize(alpha[..., None], height * scale, width * scale)[..., 0]
    seen = grown_alpha > 0.02
    plain = resize(pixels, height * scale, width * scale)
    bled = resize(bleed_colour(pixels, alpha), height * scale, width * scale)
    assert plain[seen].min() < 0.2  # so it would be
    assert bled[seen].min() > 0.45


def test_what_has_no_holes_or_nothing_visible_is_left_alone() -> None:
    pixels, alpha = holed()
    assert bleed_colour(pixels, np.ones_like(alpha)) is pixels
    assert bleed_colour(pixels, np.zeros_like(alpha)) is pixels


def test_grey_is_bled_too() -> None:
    pixels, alpha = holed()
    assert bleed_colour(pixels[..., :1], alpha)[:, 16:].min() > 0.45


@pytest.mark.parametrize("size", [(24, 32), (37, 23), (1, 9), (64, 5)])
def test_bands_in_scratch_files_are_bled_like_the_whole(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    pixels, alpha = rng.random((*size, 3), dtype=np.float32), (rng.random(size) < 0.1).astype(np.uint8)
    alpha[0, 0] = 1
    whole = bleed_colour(pixels, alpha)
    monkeypatch.setattr("restore_cli.scratch.BAND_BYTES", 1200)
    assert np.abs(bleed_colour(pixels, alpha, Room(0)) - whole).max() == 0
