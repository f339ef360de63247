"""Samples of one depth as those of another: of 8 and 16 bits, of fewer, and as floats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restore_cli.picture.picture import Samples
from restore_cli.scratch import ArrayStorage, few_rows_each, rows_in_bands

LEVEL = 257
"""One 8-bit level, in 16-bit levels."""


def to_16_bit(samples: Samples, storage: ArrayStorage | None = None) -> NDArray[np.uint16]:
    """Spread 8-bit samples (h, ...) over 16 bits, band by band; 16-bit ones stay as they are.

    The result lies in `storage`, in memory if None.
    """
    if samples.dtype != np.uint8:
        return samples.astype(np.uint16, copy=False)
    storage = storage or ArrayStorage()
    deep: NDArray[np.uint16] = storage.empty(samples.shape, np.uint16)
    for rows in rows_in_bands(len(samples), deep[:1].nbytes):
        np.multiply(samples[rows], np.uint16(LEVEL), out=deep[rows])
        storage.release()
    return deep


def to_8_bit(samples: Samples, storage: ArrayStorage | None = None) -> NDArray[np.uint8]:
    """Round 16-bit samples (h, ...) to 8 bits, band by band; the result lies in `storage`, in memory if None."""
    storage = storage or ArrayStorage()
    levels: NDArray[np.uint8] = storage.empty(samples.shape, np.uint8)
    for rows in rows_in_bands(len(samples), samples[:1].nbytes):
        levels[rows] = (samples[rows].astype(np.uint32) + LEVEL // 2) // LEVEL
        storage.release()
    return levels


def spread_bits(samples: Samples, bits: int) -> Samples:
    """Repeat the `bits` upper bits of each sample in those below them, in place: the full range becomes full."""
    while bits < 8 * samples.itemsize:
        samples |= samples >> samples.dtype.type(bits)
        bits *= 2
    return samples


def to_unit(samples: Samples) -> NDArray[np.float32]:
    """Convert integer samples to float32, 0 to 1."""
    return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)


def to_samples(values: NDArray[np.float32], depth: int) -> Samples:
    """Round floats (h, ...), nominally 0 to 1, to integers of `depth` bits (8 or 16); values outside are clipped."""
    dtype = np.uint8 if depth == 8 else np.uint16
    samples = np.empty(values.shape, dtype)
    for rows in few_rows_each(len(values)):
        band = np.clip(values[rows], 0, 1) * np.float32(np.iinfo(dtype).max)
        samples[rows] = np.rint(band, out=band)
    return samples
