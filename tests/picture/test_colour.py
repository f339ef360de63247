from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from restore_cli.picture import colour
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.matrix_profile import MatrixProfile, channels_of, read_matrix_profile
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

LEFT_OUT = ("its colour profile is damaged or does not fit, so it is left out",)
GAMMAS = {"p3": 2.2, "adobe": 563 / 256, "prophoto": 1.8, "srgb": 1.0}


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    """All corners and edges of the RGB cube and much between them; 33, 1089, 3, uint8."""
    steps = np.linspace(0, 255, 33).round().astype(np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(33, -1, 3)


def write(picture: Picture, name: str, **options: Any) -> bytes:
    format = format_by_name(name)
    assert format is not None
    return encode_picture(picture, format, **options)


def raw(content: bytes) -> tuple[np.ndarray, bytes | None]:
    """Return the samples of a file as they are, and its profile."""
    image = pyvips.Image.new_from_buffer(content, "")
    profile = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    return image.numpy(), None if profile is None else bytes(profile)


def srgb_of(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


# There and back


@pytest.mark.parametrize("primaries", GAMMAS)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("format", ["png", "tiff"])
def test_wide_colours_come_back_as_they_were(
    primaries: str, depth: int, format: str, cube: np.ndarray, matrix_profile: Callable[..., bytes], save: Any
) -> None:
    profile = matrix_profile(primaries, gamma=GAMMAS[primaries])
    before = cube if depth == 8 else cube.astype(np.uint16) * 257
    content = pyvips.Image.new_from_array(before).copy(interpretation="srgb" if depth == 8 else "rgb16")
    content = content.copy()
    content.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    picture = read_picture(content.pngsave_buffer() if format == "png" else content.tiffsave_buffer())
    assert picture.metadata.icc == profile
    assert picture.depth == depth
    after, kept = raw(write(picture, format))
    assert kept == profile
    assert after.dtype == before.dtype
    assert np.abs(after.astype(int) - before).max() <= (1 if depth == 8 else 257)


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_the_profile_goes_through_lossy_formats(
    format: str, samples: np.ndarray, matrix_profile: Callable[..., bytes], save: Any
) -> None:
    profile = matrix_profile("p3")
    picture = read_picture(save(samples, format.upper(), quality=95, icc_profile=profile))
    after, kept = raw(write(picture, format, quality=95))
    before, _ = raw(save(samples, format.upper(), quality=95, icc_profile=profile))
    assert kept == profile
    assert np.abs(after.astype(int) - before).mean() < 4


def test_colours_inside_srgb_need_nothing_beyond_it(samples: np.ndarray, matrix_profile: Callable[..., bytes]) -> None:
    muted = (samples // 4 + 96).astype(np.uint8)
    pixels, beyond = colour.into_srgb(muted, matrix_profile("adobe"))
    assert beyond is None
    assert np.abs(colour.out_of_srgb(pixels, matrix_profile("adobe")) - muted.astype(int) * 257).max() <= 128


def test_saturated_colours_are_kept_beyond_srgb(matrix_profile: Callable[..., bytes]) -> None:
    green = np.array([[[0, 255, 0]]], np.uint8)
    pixels, beyond = colour.into_srgb(green, matrix_profile("adobe"))
    assert beyond is not None
    assert pixels[0, 0, 1] == 65_535
    back = colour.out_of_srgb(pixels, matrix_profile("adobe")).astype(int)
    assert (back + beyond == green.astype(int) * 257).all()
    assert np.abs(back - green.astype(int) * 257).max() > 257 * 20


def test_alpha_goes_with_the_colours(
    samples: np.ndarray, alpha: np.ndarray, matrix_profile: Callable[..., bytes], save: Any
) -> None:
    before = np.dstack([samples, alpha])
    picture = read_picture(save(before, "PNG", icc_profile=matrix_profile("p3")))
    assert picture.alpha is not None
    assert picture.alpha.dtype == picture.pixels.dtype
    after, _ = raw(write(picture, "png"))
    assert (after == before).all()
    on_white = read_picture(write(picture, "jpeg", quality=100))
    assert on_white.alpha is None
    assert on_white.metadata.icc == picture.metadata.icc


def test_formats_without_profiles_get_srgb(cube: np.ndarray, matrix_profile: Callable[..., bytes], save: Any) -> None:
    picture = read_picture(save(cube, "PNG", icc_profile=matrix_profile("p3")))
    for name in ("bmp", "ppm", "tga", "jp2"):
        plain = read_picture(write(picture, name))
        assert plain.metadata.icc is None
        assert np.abs(plain.pixels * 257.0 - picture.pixels).max() <= 129


def test_stripping_metadata_keeps_the_profile(
    samples: np.ndarray, matrix_profile: Callable[..., bytes], save: Any
) -> None:
    profile = matrix_profile("adobe")
    picture = read_picture(save(samples, "PNG", icc_profile=profile))
    for name in ("jpeg", "png", "tiff", "webp", "avif"):
        assert raw(write(picture, name, strip_metadata=True))[1] == profile


# What colours become


@pytest.mark.parametrize("primaries", ["srgb", "p3", "adobe"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_colours_are_those_of_lcms(
    primaries: str, gamma: float, cube: np.ndarray, matrix_profile: Callable[..., bytes]
) -> None:
    profile = matrix_profile(primaries, gamma=gamma)
    pixels, _ = colour.into_srgb(cube, profile)
    assert read_matrix_profile(profile) is not None
    expected = colour._import(colour.to_16_bit(cube), profile).astype(int)
    lit = (cube >= 8).all(axis=2)  # lcms rounds the steep start of a curve
    assert np.abs(pixels - expected)[lit].max() < 257 / 2
    assert np.abs(pixels - expected).max() < 257 * 1.5


def test_red_of_display_p3_is_the_known_red(matrix_profile: Callable[..., bytes]) -> None:
    pixels, _ = colour.into_srgb(np.array([[[255, 0, 0], [128, 64, 32]]], np.uint8), matrix_profile("p3"))
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])  # CSS Color 4
    inside = srgb_of(matrix @ (np.array([128, 64, 32]) / 255) ** 2.2) * 65_535
    assert pixels[0, 0].tolist() == [65_535, 0, 0]
    assert np.abs(pixels[0, 1] - inside).max() < 65


CURVES = {
    "identity": (struct.pack(">4sII", b"curv", 0, 0), lambda x: x),
    "gamma": (struct.pack(">4sIIH", b"curv", 0, 1, 2 * 256), lambda x: x**2),
    "table": (struct.pack(">4sII3H", b"curv", 0, 3, 0, 16_384, 65_535), lambda x: np.interp(x, (0, 0.5, 1), (0, 0.25, 1))),
    "para 0": (struct.pack(">4sIHHi", b"para", 0, 0, 0, 131_072), lambda x: x**2),
    "para 1": (
        struct.pack(">4sIHH3i", b"para", 0, 1, 0, *(round(v * 65_536) for v in (2, 1.25, -0.25))),
        lambda x: np.where(x >= 0.2, np.maximum(1.25 * x - 0.25, 0) ** 2, 0),
    ),
    "para 2": (
        struct.pack(">4sIHH4i", b"para", 0, 2, 0, *(round(v * 65_536) for v in (2, 1, -0.5, 0.75))),
        lambda x: np.where(x >= 0.5, np.maximum(x - 0.5, 0) ** 2 + 0.75, 0.75),
    ),
    "para 3": (
        struct.pack(">4sIHH5i", b"para", 0, 3, 0, *(round(v * 65_536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))),
        lambda x: np.where(x >= 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92),
    ),
    "para 4": (
        struct.pack(">4sIHH7i", b"para", 0, 4, 0, *(round(v * 65_536) for v in (2, 0.9, 0, 0.1, 0.1, 0.19, 0.01))),
        lambda x: np.where(x >= 0.1, (0.9 * x) ** 2 + 0.19, 0.1 * x + 0.01),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_every_kind_of_curve_is_followed(name: str, matrix_profile: Callable[..., bytes]) -> None:
    curve, formula = CURVES[name]
    profile = read_matrix_profile(matrix_profile("srgb", curve=curve))
    assert isinstance(profile, MatrixProfile)
    levels = np.linspace(0, 1, 65_536)
    assert np.abs(profile.to_linear - np.clip(formula(levels), 0, 1)).max() < 1e-4


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_grey_profiles_work(gamma: float, grey_profile: Callable[[float], bytes], save: Any) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    profile = grey_profile(gamma)
    picture = read_picture(save(ramp, "PNG", icc_profile=profile))
    assert picture.pixels.shape == (16, 16, 1)
    expected = srgb_of((ramp / 255) ** gamma) * 65_535
    assert np.abs(picture.pixels[..., 0] - expected).max() < 16
    for name in ("png", "tiff", "jpeg"):
        after, kept = raw(write(picture, name, quality=100))
        assert kept == profile
        assert np.abs(after.reshape(16, 16).astype(int) - ramp).max() <= (2 if name == "jpeg" else 0)


def test_grey_in_a_format_without_grey_loses_its_profile(grey_profile: Callable[[float], bytes], save: Any) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = read_picture(save(ramp, "PNG", icc_profile=grey_profile(1.8)))
    for name in ("webp", "avif"):
        plain = read_picture(write(picture, name, quality=100))
        assert plain.metadata.icc is None
        assert np.abs(plain.pixels * 257.0 - picture.pixels).max() < 257 * 6


# Profiles of tables


def test_a_profile_of_tables_comes_back_as_it_was(cube: np.ndarray, table_profile: bytes, save: Any) -> None:
    assert read_matrix_profile(table_profile) is None
    picture = read_picture(save(cube, "PNG", icc_profile=table_profile))
    after, kept = raw(write(picture, "png"))
    assert kept == table_profile
    assert np.abs(after.astype(int) - cube).max() <= 1


def test_a_profile_of_tables_is_followed(table_profile: bytes, matrix_profile: Callable[..., bytes]) -> None:
    colours = np.random.default_rng(2).integers(60, 200, (16, 16, 3), dtype=np.uint8)
    by_tables, _ = colour.into_srgb(colours, table_profile)
    by_matrix, _ = colour.into_srgb(colours, matrix_profile("srgb", gamma=2.2))
    assert np.abs(by_tables.astype(int) - by_matrix).mean() < 257 * 2


# sRGB under many names


def test_srgb_is_recognised_by_its_colours(matrix_profile: Callable[..., bytes]) -> None:
    made_by_lcms = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged = pyvips.Image.black(2, 2, bands=3).copy(interpretation="srgb").icc_transform("srgb", input_profile="srgb")
    assert colour.is_srgb(made_by_lcms)
    assert colour.is_srgb(bytes(tagged.get("icc-profile-data")))
    assert colour.is_srgb(matrix_profile("srgb", curve=CURVES["para 3"][0], name="Nameless"))


def test_a_profile_that_merely_calls_itself_srgb_is_not(
    matrix_profile: Callable[..., bytes], grey_profile: Callable[[float], bytes], table_profile: bytes
) -> None:
    assert not colour.is_srgb(matrix_profile("srgb", gamma=1.0, name="sRGB linear"))
    assert not colour.is_srgb(matrix_profile("p3", curve=CURVES["para 3"][0], name="sRGB"))
    assert not colour.is_srgb(grey_profile(2.2))
    assert not colour.is_srgb(table_profile)
    assert not colour.is_srgb(b"sRGB")


def test_srgb_pixels_are_untouched(samples: np.ndarray, save: Any) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(save(samples, "PNG", icc_profile=profile))
    assert picture.pixels.dtype == np.uint8
    assert (picture.pixels == samples).all()
    assert raw(write(picture, "png"))[1] == profile


# Profiles that do not fit


def test_a_damaged_profile_is_left_out_with_a_note(
    samples: np.ndarray, matrix_profile: Callable[..., bytes], table_profile: bytes, save: Any
) -> None:
    whole = matrix_profile("p3")
    broken_curve = whole.replace(b"curv\0\0\0\0\0\0\0\x01", b"curv\0\0\0\0\xff\xff\xff\xff")
    for profile in (b"junk" * 50, whole[:120], whole[:200], whole[:300], broken_curve, table_profile[:2000]):
        for format in ("PNG", "TIFF"):
            picture = read_picture(save(samples, format, icc_profile=profile))
            assert picture.notes == LEFT_OUT
            assert picture.metadata.icc is None
            assert (picture.pixels == samples).all()
            assert raw(write(picture, "png"))[1] is None


def test_a_profile_for_other_channels_is_left_out_with_a_note(
    samples: np.ndarray, matrix_profile: Callable[..., bytes], grey_profile: Callable[[float], bytes], save: Any
) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for pixels, profile in (
        (samples, grey_profile(2.2)),
        (samples[..., 0], matrix_profile("p3")),
        (samples[..., 0], srgb),
    ):
        for format in ("TIFF", "JPEG"):
            picture = read_picture(save(np.ascontiguousarray(pixels), format, icc_profile=profile))
            assert picture.notes == LEFT_OUT
            assert picture.metadata.icc is None


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


# Inks


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


def test_profile_of_another_picture_is_never_used(samples: np.ndarray, matrix_profile: Callable[..., bytes]) -> None:
    one, other = matrix_profile("p3"), matrix_profile("adobe")
    for profile in (one, other, one):
        pixels, beyond = colour.into_srgb(samples, profile)
        picture = Picture(pixels, None, beyond, metadata=replace(Picture(pixels).metadata, icc=profile))
        assert (raw(write(picture, "png"))[0] == samples).all()
