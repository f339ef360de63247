"""Noise of cameras: as strong as is asked, shared by neighbours, and coarser in colours."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.training import camera_noise as module
from restore_cli.training.camera_noise import Noise, camera_noise, interpolated, smoothed


def shared(noise: Noise) -> float:
    """Return the correlation of neighbours in a row, of a noise (h, w)."""
    return float(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1])


@pytest.mark.parametrize("grey", [False, True])
def test_it_has_the_standard_deviation_1_and_no_mean(grey: bool) -> None:
    random = np.random.default_rng(1)
    for _ in range(10):
        noise = camera_noise(128, 96, random, grey=grey)
        assert noise.shape == (128, 96, 1 if grey else 3)
        assert noise.dtype == np.float32
        assert noise.std() == pytest.approx(1, abs=1e-4)
        assert abs(noise.mean()) < 0.15


def test_neighbours_share_it_more_the_more_it_is_smoothed(monkeypatch: pytest.MonkeyPatch) -> None:
    correlations = []
    for share, most in ((0.0, 0.0), (1.0, 1.3)):
        monkeypatch.setattr(module, "SMOOTHED", share)
        monkeypatch.setattr(module, "SMOOTHING", most)
        random = np.random.default_rng(2)
        correlations.append(np.mean([shared(camera_noise(96, 96, random)[:, :, 0]) for _ in range(20)]))
    assert abs(shared(np.random.default_rng(3).standard_normal((96, 96), np.float32))) < 0.05
    assert 0.3 < correlations[0] < correlations[1] - 0.05


def test_colours_are_smoothed_more_than_brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMOOTHED", 1.0)
    random = np.random.default_rng(4)
    brightness, colours = [], []
    for _ in range(20):
        noise = camera_noise(96, 96, random)
        brightness.append(shared(noise.mean(axis=2)))
        colours.append(shared(noise[:, :, 0] - noise.mean(axis=2)))
    assert np.mean(colours) > np.mean(brightness) + 0.05


def test_a_plain_level_is_interpolated_to_itself_but_for_white_balance() -> None:
    red, green, blue = np.moveaxis(interpolated(np.ones((8, 8), np.float32), np.random.default_rng(5)), 2, 0)
    for channel in (red, green, blue):
        assert np.allclose(channel, channel[0, 0])
    assert green[0, 0] == 1
    for channel in (red, blue):
        assert module.GAINS[0] <= channel[0, 0] <= module.GAINS[1]


def test_smoothing_by_nothing_changes_nothing_and_by_much_leaves_the_mean() -> None:
    noise = np.random.default_rng(6).standard_normal((16, 15, 3), np.float32)
    assert np.allclose(smoothed(noise, 0), noise, atol=1e-5)
    assert np.allclose(smoothed(noise, 100), noise.mean(axis=(0, 1)), atol=1e-5)
