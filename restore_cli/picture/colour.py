"""Colour management: from a picture's own profile into sRGB and back, losing nothing on the way.

sRGB holds fewer colours than Adobe RGB or Display P3. What the conversion clips is kept as a difference in the
picture's own profile and added again on the way back, so that a wide-gamut picture keeps its gamut.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import ImageCms

from restore_cli.picture.picture import Samples

INTENT = "relative"
VISIBLE = 128
"""A difference of half an 8-bit level, in 16-bit levels."""


def is_srgb(profile: bytes) -> bool:
    """Tell whether an ICC profile calls itself sRGB."""
    try:
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return False
    return description.strip().lower().startswith("srgb")


def into_srgb(samples: Samples, profile: bytes) -> tuple[NDArray[np.uint16], NDArray[np.int32] | None]:
    """Convert samples (h, w, 1 or 3) in `profile` to 16-bit sRGB; also return what sRGB cannot hold, or None.

    Raises:
        pyvips.Error: the profile is damaged, or made for another number of channels.
    """
    own = _to_vips(samples)
    own.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    lab = own.icc_import(embedded=True, intent=INTENT, black_point_compensation=True)
    srgb = lab.icc_export(output_profile="srgb", intent=INTENT, black_point_compensation=True, depth=16)
    pixels = srgb.numpy().astype(np.uint16)
    if samples.shape[2] == 1:
        pixels = pixels[..., :3].mean(axis=2, keepdims=True).round().astype(np.uint16)
    beyond = to_16_bit(samples).astype(np.int32) - out_of_srgb(pixels, profile)
    return pixels, beyond if np.abs(beyond).max() >= VISIBLE else None


def out_of_srgb(pixels: Samples, profile: bytes) -> NDArray[np.int32]:
    """Convert sRGB pixels (h, w, 1 or 3) to samples of the same shape in `profile`, 16-bit levels as int32."""
    srgb = _to_vips(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)
    lab = srgb.icc_import(input_profile="srgb", intent=INTENT, black_point_compensation=True)
    lab.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    own = lab.icc_export(intent=INTENT, black_point_compensation=True, depth=16).numpy()
    levels: NDArray[np.int32] = own.reshape(*pixels.shape[:2], -1)[..., : pixels.shape[2]].astype(np.int32)
    return levels


def cmyk_to_srgb(inks: Samples, profile: bytes | None) -> Samples:
    """Convert inks (h, w, 4) in `profile`, or in a common press profile when None, to sRGB of the same depth.

    Raises:
        pyvips.Error: the profile is damaged.
    """
    image = pyvips.Image.new_from_array(np.ascontiguousarray(inks)).copy(interpretation="cmyk")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    srgb: Samples = image.icc_transform(
        "srgb",
        embedded=profile is not None,
        input_profile="cmyk",
        intent=INTENT,
        black_point_compensation=True,
        depth=8 * inks.itemsize,
    ).numpy()
    return srgb


def to_16_bit(samples: Samples) -> NDArray[np.uint16]:
    """Spread 8-bit samples over 16 bits; 16-bit ones stay as they are."""
    return samples.astype(np.uint16) * np.uint16(257) if samples.dtype == np.uint8 else samples.astype(np.uint16)


def _to_vips(samples: Samples) -> Any:
    image = pyvips.Image.new_from_array(np.ascontiguousarray(to_16_bit(samples)))
    return image.copy(interpretation="rgb16" if samples.shape[2] == 3 else "grey16")
