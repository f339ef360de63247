"""Grey pictures that are stored as colour: they go through a network as one channel, so that none of it gets a tint."""

from __future__ import annotations

import numpy as np

from restore_cli.memory import MEBIBYTE
from restore_cli.picture.picture import Samples
from restore_cli.scratch import ArrayStorage, rows_in_bands

ROUNDED = {1: 0, 2: 2}
"""Levels by which channels of grey differ at the most, by the bytes of a sample: profiles lead to 16 bits, rounded."""


def without_tint(pixels: Samples, storage: ArrayStorage) -> Samples:
    """Return one channel of pixels (h, w, c), as a view, where all are equal in the whole picture; else all of them.

    They are looked at in small bands, up to the first that is coloured; `storage` is where they lie.
    """
    if pixels.shape[2] == 1:
        return pixels
    most = ROUNDED[pixels.itemsize]
    for rows in rows_in_bands(len(pixels), pixels[0].nbytes, MEBIBYTE):
        band = pixels[rows].astype(np.int32)
        if (np.abs(band - np.roll(band, 1, axis=2)) > most).any():
            return pixels
        storage.release()
    return pixels[..., :1]


def with_channels(pixels: Samples, channels: int) -> Samples:
    """Return pixels (h, w, 1 or `channels`) with so many channels: grey is repeated."""
    return np.repeat(pixels, channels // pixels.shape[2], axis=2) if pixels.shape[2] < channels else pixels
