"""Light as it adds up."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.tasks import light


def grey(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1)


@pytest.mark.parametrize(
    ("encoded", "linear"), [(0, 0), (0.04, 0.04 / 12.92), (0.5, 0.214041), (0.735357, 0.5), (1, 1)]
)
def test_the_curve_is_that_of_srgb(encoded: float, linear: float) -> None:
    assert light.to_linear(grey(encoded))[0, 0, 0] == pytest.approx(linear, abs=1e-6)
    assert light.to_srgb(grey(linear))[0, 0, 0] == pytest.approx(encoded, abs=1e-5)


def test_every_16_bit_level_survives_the_way_there_and_back() -> None:
    levels = np.arange(65_536, dtype=np.float32).reshape(256, 256, 1)
    back = light.to_srgb(light.to_linear(levels / 65_535))
    assert (np.rint(back * 65_535) == levels).all()


def test_luminance_weighs_the_colours() -> None:
    picture = np.eye(3, dtype=np.float32).reshape(1, 3, 3)
    assert light.luminance(picture)[0] == pytest.approx([0.2126, 0.7152, 0.0722])
    assert light.mean_luminance(picture) == pytest.approx(1 / 3)
    assert light.mean_luminance(grey(0, 1)) == pytest.approx(0.5)
    assert light.mean_luminance(grey(0, 1), np.array([[0, 9]], np.uint8)) == pytest.approx(1)
    assert light.mean_luminance(grey(0, 1), np.array([[3, 1]], np.uint8)) == pytest.approx(0.25)
    assert light.mean_luminance(grey(0, 1), np.zeros((1, 2), np.uint8)) == pytest.approx(0.5)
    assert light.mean_luminance(np.repeat(grey(0, 1), 700, axis=0)) == pytest.approx(0.5)


def test_mixing_is_done_in_linear_light() -> None:
    dark, bright = np.zeros((600, 2, 3), np.float32), np.ones((600, 2, 3), np.float32)
    assert np.allclose(light.mix(dark, bright, 0.5), 0.735357, atol=1e-4)
    assert np.allclose(light.mix(dark, bright, 0), 0)
    assert np.allclose(light.mix(dark, 1.7 * bright, 1), 1)


def test_highlights_keep_their_order_and_all_else_stays() -> None:
    plain = grey(*np.linspace(0, 1, 101))
    burnt = np.minimum(plain * 4, 1)
    kept = light.keep_highlights(plain, burnt, 0.15)
    steps = np.diff(kept[0, :, 0])
    assert (np.diff(burnt[0, 30:, 0]) == 0).all()
    assert (steps > 0).all()
    assert np.allclose(kept[0, :18], burnt[0, :18], atol=1e-6), "nothing changes below half the light"
    assert light.to_linear(kept).max() == pytest.approx(1)
    assert light.to_linear(kept)[0, 25, 0] == pytest.approx(1 - 0.15 * (1 - light.to_linear(plain)[0, 25, 0]), abs=0.02)


def test_highlights_of_a_dark_picture_are_relative_to_its_own() -> None:
    plain = grey(*np.linspace(0, 0.1, 1000))
    kept = light.keep_highlights(plain, np.ones_like(plain), 0.15)
    assert light.to_linear(kept)[0, -1, 0] == pytest.approx(1)
    assert light.to_linear(kept)[0, 0, 0] == pytest.approx(0.85)


def test_a_black_picture_has_no_highlights() -> None:
    black = np.zeros((4, 4, 3), np.float32)
    assert (light.keep_highlights(black, black, 0.15) == 0).all()
