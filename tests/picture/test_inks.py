from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from restore_cli.picture.reading import read_picture

LEFT_OUT = ("its colour profile is damaged or does not fit, so it is left out",)


def press_profile() -> bytes:
    inks = pyvips.Image.black(2, 2, bands=3).copy(interpretation="srgb").icc_transform("cmyk", input_profile="srgb")
    return bytes(inks.get("icc-profile-data"))


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
@pytest.mark.parametrize("tagged", [True, False])
def test_inks_become_the_colours_that_lcms_sees(format: str, tagged: bool, samples: np.ndarray, save: Any) -> None:
    profile = press_profile()
    inks = ImageCms.profileToProfile(
        Image.fromarray(samples), ImageCms.createProfile("sRGB"), io.BytesIO(profile), outputMode="CMYK"
    )
    assert inks is not None
    content = save(inks, format, **({"icc_profile": profile} if tagged else {}), quality=100)
    picture = read_picture(content)
    with Image.open(io.BytesIO(content)) as image:
        expected = ImageCms.profileToProfile(
            image,
            io.BytesIO(profile),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    assert picture.notes == ("CMYK is converted to sRGB",)
    assert picture.metadata.icc is None
    assert np.abs(picture.pixels.astype(int) - np.asarray(expected, int)).mean() < 1


@pytest.mark.parametrize("profile", [b"junk" * 50, "rgb", press_profile()[:5000]])
def test_inks_with_a_profile_that_does_not_fit_are_read_with_a_note(
    profile: bytes | str, samples: np.ndarray, matrix_profile: Callable[..., bytes], save: Any
) -> None:
    inks = Image.fromarray(samples).convert("CMYK")
    block = matrix_profile("p3") if isinstance(profile, str) else profile
    picture = read_picture(save(inks, "TIFF", icc_profile=block))
    assert picture.notes == (*LEFT_OUT, "CMYK is converted to sRGB")
    assert (picture.pixels == read_picture(save(inks, "TIFF")).pixels).all()


def test_deep_inks_stay_deep() -> None:
    inks = np.random.default_rng(3).integers(0, 65_536, (8, 8, 4), dtype=np.uint16)
    content = pyvips.Image.new_from_array(inks).copy(interpretation="cmyk").tiffsave_buffer()
    picture = read_picture(content)
    assert (picture.pixels.shape, picture.pixels.dtype, picture.depth) == ((8, 8, 3), np.uint16, 16)
