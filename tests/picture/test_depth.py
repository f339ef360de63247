"""Samples of other depths: the full range stays full, and nothing is lost on the way up and down."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli import scratch
from restore_cli.picture.depth import spread_bits, to_8_bit, to_16_bit
from restore_cli.scratch import ArrayStorage


def test_every_8_bit_level_survives_16() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert (to_16_bit(levels) == np.linspace(0, 65_535, 256)).all()
    assert (to_8_bit(to_16_bit(levels)) == levels).all()
    assert to_8_bit(np.array([128, 129, 65_535], np.uint16)).tolist() == [0, 1, 255]


def test_bands_that_do_not_fit_memory_are_spread_and_rounded_alike(
    samples: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "BAND_BYTES", 3 * samples[0].nbytes)
    deep = to_16_bit(samples, ArrayStorage(0))
    assert (deep == samples.astype(np.uint16) * 257).all()
    assert (to_8_bit(deep, ArrayStorage(0)) == samples).all()


def test_samples_of_16_bits_are_not_copied(deep_samples: np.ndarray) -> None:
    assert to_16_bit(deep_samples, ArrayStorage(0)) is deep_samples


@pytest.mark.parametrize(
    ("bits", "dtype"), [(1, np.uint8), (4, np.uint8), (10, np.uint16), (12, np.uint16), (9, np.uint16)]
)
def test_bits_are_spread_over_the_full_range(bits: int, dtype: type) -> None:
    width = 8 * np.dtype(dtype).itemsize
    levels = np.arange(2**bits)
    spread = spread_bits((levels << (width - bits)).astype(dtype), bits)
    exact = levels * (2**width - 1) / (2**bits - 1)
    assert (spread[0], spread[-1]) == (0, 2**width - 1)
    assert np.abs(spread - exact).max() < 1


def test_whole_samples_are_left_alone() -> None:
    samples = np.arange(256, dtype=np.uint8)
    assert (spread_bits(samples.copy(), 8) == samples).all()
