"""Pixels that are numbers of one to four bytes, some bits of which are each channel's, as masks tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from restore_cli.picture.picture import Samples

Words = NDArray[np.uint32]
FULL = 255
"""The highest level."""


def to_words(content: NDArray[np.uint8], size: int) -> Words:
    """Return the numbers that stand in `content` one after the other, of `size` bytes each, the lowest first."""
    pixels = np.zeros((content.size // size, 4), np.uint8)
    pixels[:, :size] = content.reshape(-1, size)
    return pixels.view("<u4")[:, 0]


def unmask(words: Words, masks: Sequence[int]) -> Samples:
    """Return the channels that `words` (of any shape) hold, stretched to 8 bits: one more axis, uint8."""
    return np.stack([_channel(words, mask) for mask in masks], axis=-1)


def _channel(words: Words, mask: int) -> Samples:
    if not mask:
        return np.zeros(words.shape, np.uint8)
    lowest = mask & -mask
    levels: Words = (words & np.uint32(mask)) // np.uint32(lowest)
    if mask // lowest == FULL:
        return levels.astype(np.uint8)
    stretched: Samples = np.rint(levels * (FULL / (mask // lowest))).astype(np.uint8)
    return stretched
