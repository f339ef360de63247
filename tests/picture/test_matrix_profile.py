from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from restore_cli.picture import colour
from restore_cli.picture.depth import to_16_bit
from restore_cli.picture.matrix_profile import MatrixProfile, channels_of, read_matrix_profile


def srgb_of(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("primaries", ["srgb", "p3", "adobe"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_colours_are_those_of_lcms(
    primaries: str, gamma: float, cube: np.ndarray, matrix_profile: Callable[..., bytes]
) -> None:
    profile = matrix_profile(primaries, gamma=gamma)
    pixels, _ = colour.into_srgb(cube, profile)
    assert read_matrix_profile(profile) is not None
    expected = colour._import(to_16_bit(cube), profile).astype(int)
    lit = (cube >= 8).all(axis=2)  # lcms rounds the steep start of a curve
    assert np.abs(pixels - expected)[lit].max() < 257 / 2
    assert np.abs(pixels - expected).max() < 257 * 1.5


def test_red_of_display_p3_is_the_known_red(matrix_profile: Callable[..., bytes]) -> None:
    pixels, _ = colour.into_srgb(np.array([[[255, 0, 0], [128, 64, 32]]], np.uint8), matrix_profile("p3"))
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])  # CSS Color 4
    inside = srgb_of(matrix @ (np.array([128, 64, 32]) / 255) ** 2.2) * 65_535
    assert pixels[0, 0].tolist() == [65_535, 0, 0]
    assert np.abs(pixels[0, 1] - inside).max() < 65


@pytest.mark.parametrize("primaries", ["srgb", "p3", "adobe", "prophoto"])
def test_white_and_greys_stay_white_and_grey(primaries: str, matrix_profile: Callable[..., bytes]) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    pixels, beyond = colour.into_srgb(ramp, matrix_profile(primaries, gamma=1.8))
    assert beyond is None
    assert (pixels[-1, -1] == 65_535).all()
    assert np.ptp(pixels.astype(int), axis=2).max() <= 1


def parametric(kind: int, *numbers: float) -> bytes:
    return struct.pack(f">4sIHH{len(numbers)}i", b"para", 0, kind, 0, *(round(number * 65_536) for number in numbers))


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
CURVES = {
    "identity": (struct.pack(">4sII", b"curv", 0, 0), lambda x: x),
    "gamma": (struct.pack(">4sIIH", b"curv", 0, 1, 2 * 256), lambda x: x**2),
    "table": (
        struct.pack(">4sII3H", b"curv", 0, 3, 0, 16_384, 65_535),
        lambda x: np.interp(x, (0, 0.5, 1), (0, 0.25, 1)),
    ),
    "power": (parametric(0, 2), lambda x: x**2),
    "power from a point": (
        parametric(1, 2, 1.25, -0.25),
        lambda x: np.where(x >= 0.2, np.maximum(1.25 * x - 0.25, 0) ** 2, 0),
    ),
    "power above a level": (
        parametric(2, 2, 1, -0.5, 0.75),
        lambda x: np.where(x >= 0.5, np.maximum(x - 0.5, 0) ** 2 + 0.75, 0.75),
    ),
    "line and power": (SRGB_CURVE, lambda x: np.where(x >= 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)),
    "line and power above levels": (
        parametric(4, 2, 0.9, 0, 0.1, 0.1, 0.19, 0.01),
        lambda x: np.where(x >= 0.1, (0.9 * x) ** 2 + 0.19, 0.1 * x + 0.01),
    ),
}


@pytest.mark.parametrize("name", CURVES)
def test_every_kind_of_curve_is_followed(name: str, matrix_profile: Callable[..., bytes]) -> None:
    curve, formula = CURVES[name]
    profile = read_matrix_profile(matrix_profile("srgb", curve=curve))
    assert isinstance(profile, MatrixProfile)
    levels = np.linspace(0, 1, 65_536)
    assert np.abs(profile.to_linear - np.clip(formula(levels), 0, 1)).max() < 1e-4


# sRGB under many names


def test_srgb_is_recognised_by_its_colours(matrix_profile: Callable[..., bytes]) -> None:
    made_by_lcms = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged = pyvips.Image.black(2, 2, bands=3).copy(interpretation="srgb").icc_transform("srgb", input_profile="srgb")
    assert colour.is_srgb(made_by_lcms)
    assert colour.is_srgb(bytes(tagged.get("icc-profile-data")))
    assert colour.is_srgb(matrix_profile("srgb", curve=SRGB_CURVE, name="Nameless"))


def test_a_profile_that_merely_calls_itself_srgb_is_not(
    matrix_profile: Callable[..., bytes], grey_profile: Callable[[float], bytes]
) -> None:
    assert not colour.is_srgb(matrix_profile("srgb", gamma=1.0, name="sRGB linear"))
    assert not colour.is_srgb(matrix_profile("p3", curve=SRGB_CURVE, name="sRGB"))
    assert not colour.is_srgb(grey_profile(2.2))
    assert not colour.is_srgb(b"sRGB")


# Damage


@settings(deadline=None)
@given(data=st.data())
def test_no_damage_to_a_profile_is_more_than_a_value_error(
    data: st.DataObject, matrix_profile: Callable[..., bytes]
) -> None:
    profile = bytearray(matrix_profile("adobe"))
    for _ in range(data.draw(st.integers(1, 6))):
        profile[data.draw(st.integers(0, len(profile) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(profile[: data.draw(st.integers(0, len(profile)))])
    try:
        result = read_matrix_profile(content)
    except ValueError:
        return
    assert result is None or np.isfinite(result.matrix).all()
    assert channels_of(content) in (1, 3, 4)
