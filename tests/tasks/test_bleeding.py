from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.scratch import ArrayStorage
from restore_cli.tasks.bleeding import bleed_colour
from restore_cli.tasks.resampling import resize

sides = st.integers(1, 40)


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
    assert np.abs(bleed_colour(pixels, alpha, ArrayStorage(0)) - whole).max() == 0
