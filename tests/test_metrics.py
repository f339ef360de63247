from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from restore_cli.errors import PictureError, UsageError
from restore_cli.metrics import alphas_differ, compare, hidden_in_both


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def test_equal_pictures() -> None:
    score = compare(noise(20, 30), noise(20, 30))
    assert score.psnr == math.inf
    assert score.ssim == pytest.approx(1)


def test_psnr_of_a_constant_difference() -> None:
    reference = np.full((20, 20, 3), 100, np.uint8)
    assert compare(reference + 10, reference, channel="rgb").psnr == pytest.approx(20 * math.log10(255 / 10))
    assert compare(reference + 10, reference).psnr == pytest.approx(20 * math.log10(255 / (10 * 219 / 255)))


def test_luma_weighs_green_most() -> None:
    reference = np.full((20, 20, 3), 100, np.uint8)
    errors = []
    for channel in range(3):
        changed = reference.copy()
        changed[..., channel] += 20
        errors.append(compare(changed, reference).psnr)
    assert errors[1] < errors[0] < errors[2]
    assert errors[1] == pytest.approx(20 * math.log10(255 / (20 * 128.553 / 255)))


def test_16_bits_are_measured_like_8() -> None:
    a, b = noise(20, 20, seed=1), noise(20, 20, seed=2)
    assert compare(a.astype(np.uint16) * 257, b).psnr == pytest.approx(compare(a, b).psnr)


def test_grey_is_measured_against_colour() -> None:
    grey = noise(20, 20, 1)
    colour = grey.repeat(3, axis=2)
    assert compare(grey, colour).psnr == math.inf
    assert compare(grey, colour, channel="rgb").psnr == math.inf


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_pictures_of_other_depths_and_channels_are_equal(channels: int) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    deep = levels.repeat(channels, axis=2).astype(np.uint16) * 257
    for channel in ("y", "rgb"):
        assert compare(levels.repeat(3, axis=2), deep, channel=channel).psnr == math.inf


def test_luma_is_not_rounded() -> None:
    """One level of blue moves it by a tenth of a level, which rounding to 8 bits would hide or make a whole one."""
    reference = np.full((20, 20, 3), 100, np.uint8)
    changed = reference + np.array([0, 0, 1], np.uint8)
    assert compare(changed, reference).psnr == pytest.approx(20 * math.log10(255 / (24.966 / 255)))


def test_border_is_left_out() -> None:
    reference = noise(30, 30)
    changed = reference.copy()
    changed[:4], changed[-4:], changed[:, :4], changed[:, -4:] = 0, 0, 0, 0
    assert compare(changed, reference).psnr < 30
    assert compare(changed, reference, border=4).psnr == math.inf
    with pytest.raises(UsageError):
        compare(changed, reference, border=10)


def test_ssim_of_known_statistics() -> None:
    """On a checkerboard against a constant of its mean, variance and covariance of every window are known."""
    board = np.indices((33, 33)).sum(axis=0) % 2 * 20 + 100
    board = board[..., None].repeat(3, axis=2).astype(np.uint8)
    flat = np.full_like(board, 110)
    score = compare(board, flat, channel="rgb")
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets**2) / 4.5)
    weights = np.outer(weights, weights) / weights.sum() ** 2
    signs = (-1.0) ** np.indices((11, 11)).sum(axis=0)
    shift = 10 * abs((weights * signs).sum())  # by which a window's mean differs from 110, up or down
    c1, c2 = 6.5025, 58.5225
    values = [
        (2 * (110 + s) * 110 + c1) * c2 / (((110 + s) ** 2 + 110**2 + c1) * (100 - s**2 + c2)) for s in (shift, -shift)
    ]
    assert score.ssim == pytest.approx(np.mean(values), rel=1e-4)


def test_as_much_as_the_window_of_ssim_can_be_compared() -> None:
    assert compare(noise(11, 11), noise(11, 11)).ssim == pytest.approx(1)
    with pytest.raises(UsageError, match="fewer than 11 pixels a side"):
        compare(noise(10, 11), noise(10, 11))


def test_different_sizes_are_refused() -> None:
    with pytest.raises(PictureError, match="30x20 and 30x21"):
        compare(noise(20, 30), noise(21, 30))


def test_alphas_differ_by_more_than_their_depth() -> None:
    alpha = noise(20, 30)[..., 0]
    deep = alpha.astype(np.uint16) * 257
    opaque = np.full_like(alpha, 255)
    for a, b in ((None, None), (alpha, alpha), (alpha, deep), (deep + (deep < 65535) * np.uint16(128), alpha)):
        assert not alphas_differ(a, b)
    for a, b in ((None, alpha), (deep, None), (alpha, opaque), (deep ^ 1, deep), (alpha ^ 1, deep)):
        assert alphas_differ(a, b)
    assert not alphas_differ(None, opaque)
    opaque[0, 5] = 0
    assert alphas_differ(None, opaque)
    assert not alphas_differ(None, opaque, border=1)


@pytest.mark.parametrize("channel", ["y", "rgb"])
def test_what_is_hidden_does_not_count(channel: Any) -> None:
    reference, hidden = noise(30, 30), np.zeros((30, 30), np.bool_)
    hidden[:, :12] = True
    changed = np.where(hidden[..., None], noise(30, 30, seed=1), reference)
    assert compare(changed, reference, channel=channel).psnr < 20
    score = compare(changed, reference, channel=channel, hidden=hidden)
    assert (score.psnr, score.ssim) == (math.inf, pytest.approx(1))
    changed[:, 12:] = reference[:, 12:] // 2
    alone = compare(changed[:, 12:], reference[:, 12:], channel=channel)
    assert compare(changed, reference, channel=channel, hidden=hidden).psnr == pytest.approx(alone.psnr)
    assert compare(changed, reference, hidden=np.ones_like(hidden)).psnr == math.inf


def test_hidden_is_what_both_hide_inside_the_border() -> None:
    alpha = np.full((20, 30), 255, np.uint8)
    other = alpha.astype(np.uint16)
    alpha[2, 3:5], other[2, 4:6] = 0, 0
    hidden = hidden_in_both(alpha, other)
    assert hidden is not None
    assert np.argwhere(hidden).tolist() == [[2, 4]]
    assert hidden_in_both(alpha, other, border=3) is None
    assert hidden_in_both(alpha, None) is None
    assert hidden_in_both(alpha, other[1:]) is None
