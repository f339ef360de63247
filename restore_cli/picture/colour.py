"""Colour management: from a picture's own profile into sRGB and back, losing nothing on the way.

sRGB holds fewer colours than Adobe RGB or Display P3. What the conversion clips is kept as a difference in the
picture's own profile and added again on the way back, so that a wide-gamut picture keeps its gamut.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from restore_cli.picture.depth import LEVEL, to_16_bit
from restore_cli.picture.matrix_profile import channels_of, convert, read_matrix_profile, srgb_profile
from restore_cli.picture.picture import VISIBLE, Samples
from restore_cli.picture.vips import image_of, in_kind
from restore_cli.scratch import ArrayStorage, rows_in_bands

RELATIVE: dict[str, Any] = {"intent": "relative", "black_point_compensation": True}
KEPT_FROM = {1: VISIBLE, 2: 1}
"""The least difference that changes a sample when it is written again, by the bytes of a sample; in 16-bit levels."""
LARGEST_ITEM = 12
"""Bytes that a sample takes while it is converted."""


def is_srgb(profile: bytes) -> bool:
    """Tell whether a profile is sRGB, whatever it calls itself: to within one 8-bit level on a lattice of colours."""
    steps = np.linspace(0, 65_535, 9).astype(np.uint16)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(81, 9, 3)
    try:
        own = read_matrix_profile(profile) if channels_of(profile) == 3 else None
    except ValueError:
        return False
    if own is None:
        return False
    difference = convert(lattice, own, srgb_profile(3)).astype(np.int32) - lattice
    return int(np.abs(difference).max()) <= LEVEL


def into_srgb(
    samples: Samples, profile: bytes, storage: ArrayStorage | None = None
) -> tuple[NDArray[np.uint16], NDArray[np.int32] | None]:
    """Convert samples (h, w, 1 or 3) in `profile` to 16-bit sRGB; also return what sRGB cannot hold, or None.

    Both lie in `storage`. What lies outside sRGB is lost of a profile that does not lead back. Of 16-bit samples the
    rounding counts, too: one level of dark sRGB is many of a profile whose curve is steeper there.

    Raises:
        ValueError: the profile is damaged, or made for another number of channels.
    """
    storage = storage or ArrayStorage()
    channels = samples.shape[2]
    if channels_of(profile) != channels:
        raise ValueError(f"no profile for {channels} channels")
    own, returns = read_matrix_profile(profile), leads_back(profile, channels)
    pixels, beyond = storage.empty(samples.shape, np.uint16), storage.empty(samples.shape, np.int32)
    most = 0
    try:
        for rows in rows_in_bands(len(samples), LARGEST_ITEM * samples.shape[1] * channels):
            deep = to_16_bit(samples[rows])
            pixels[rows] = _import(deep, profile) if own is None else convert(deep, own, srgb_profile(channels))
            if returns:
                band = np.subtract(deep, out_of_srgb(pixels[rows], profile), out=beyond[rows], dtype=np.int32)
                most = max(most, int(band.max()), -int(band.min()))
            storage.release()
    except pyvips.Error as error:
        raise ValueError("a damaged profile") from error
    return pixels, beyond if most >= KEPT_FROM[samples.itemsize] else None


@lru_cache(maxsize=4)
def leads_back(profile: bytes, channels: int) -> bool:
    """Tell whether colours can be converted into a profile for so many channels; those of scanners lead out of it."""
    try:
        out_of_srgb(np.zeros((1, 1, channels), np.uint8), profile)
    except pyvips.Error:
        return False
    return True


def out_of_srgb(pixels: Samples, profile: bytes) -> NDArray[np.uint16]:
    """Convert sRGB pixels (h, w, 1 or 3) to 16-bit samples of the same shape in `profile`.

    Raises:
        pyvips.Error: the profile does not lead there, or is damaged, as `into_srgb` would have told.
    """
    channels, own, deep = pixels.shape[2], read_matrix_profile(profile), to_16_bit(pixels)
    if own is not None:
        return convert(deep, srgb_profile(channels), own)
    image = in_kind(image_of(np.repeat(deep, 3, axis=2) if channels == 1 else deep))
    lab = image.icc_import(input_profile="srgb", **RELATIVE)
    lab.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    levels: NDArray[np.uint16] = lab.icc_export(depth=16, **RELATIVE).numpy()
    return levels.reshape(*pixels.shape[:2], -1)[..., :channels]


def cmyk_to_srgb(inks: Samples, profile: bytes | None, storage: ArrayStorage | None = None) -> Samples:
    """Convert inks (h, w, 4) in `profile`, or in a common press profile when None, to sRGB of the same depth.

    The result lies in `storage`.

    Raises:
        ValueError: the profile is damaged, or not made for inks.
    """
    if profile is not None and channels_of(profile) != 4:
        raise ValueError("no profile for inks")
    storage = storage or ArrayStorage()
    srgb: Samples = storage.empty((*inks.shape[:2], 3), inks.dtype)
    own = {"embedded": True} if profile is not None else {"input_profile": "cmyk"}
    try:
        for rows in rows_in_bands(len(inks), LARGEST_ITEM * inks[0].size):
            image = image_of(inks[rows]).copy(interpretation="cmyk")
            if profile is not None:
                image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
            srgb[rows] = image.icc_transform("srgb", **own, **RELATIVE, depth=8 * inks.itemsize).numpy()
            storage.release()
    except pyvips.Error as error:
        raise ValueError("a damaged profile") from error
    return srgb


def _import(samples: NDArray[np.uint16], profile: bytes) -> NDArray[np.uint16]:
    own = in_kind(image_of(samples))
    own.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    lab = own.icc_import(embedded=True, **RELATIVE)
    srgb: NDArray[np.uint16] = lab.icc_export(output_profile="srgb", depth=16, **RELATIVE).numpy()
    return srgb[..., 1:2] if samples.shape[2] == 1 else srgb
