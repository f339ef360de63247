from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import ImageCms

from restore_cli.picture import colour
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.matrix_profile import read_matrix_profile
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

LEFT_OUT = ("its colour profile is damaged or does not fit, so it is left out",)
GAMMAS = {"p3": 2.2, "adobe": 563 / 256, "prophoto": 1.8, "srgb": 1.0}


D50 = (0.9642, 1.0, 0.8249)


@pytest.fixture(scope="module")
def tables() -> dict[bytes, bytes]:
    """Tables out of sRGB's colours at gamma 2.2, and into them, by way of Lab."""

    def table(inputs: np.ndarray, outputs: np.ndarray) -> bytes:
        steps = inputs.shape[0]
        straight = struct.pack(">2H", 0, 65_535) * 3
        clut = np.rint(outputs.clip(0, 1) * 65_535).astype(">u2").tobytes()
        head = (
            b"mft2\0\0\0\0"
            + bytes([3, 3, steps, 0])
            + struct.pack(">9i", *(np.eye(3, dtype=int).ravel() << 16))
            + struct.pack(">2H", 2, 2)
        )
        return head + straight + clut + straight

    to_xyz = np.array(
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    lab_scale = 65_280 / 65_535  # version 2 calls 0xFF00 one hundred
    axis = np.linspace(0, 1, 17)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)

    ratio = grid**2.2 @ to_xyz.T / D50
    root = np.where(ratio > 216 / 24_389, np.cbrt(ratio), (24_389 / 27 * ratio + 16) / 116)
    lab = np.stack(
        [116 * root[..., 1] - 16, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])], -1
    )
    forward = np.stack([lab[..., 0] / 100, (lab[..., 1] + 128) / 255, (lab[..., 2] + 128) / 255], axis=-1) * lab_scale

    decoded = grid / lab_scale
    middle = (decoded[..., 0] * 100 + 16) / 116
    roots = np.stack([middle + (decoded[..., 1] * 255 - 128) / 500, middle], axis=-1)
    roots = np.concatenate([roots, (middle - (decoded[..., 2] * 255 - 128) / 200)[..., None]], axis=-1)
    xyz = np.where(roots > 6 / 29, roots**3, (116 * roots - 16) * 27 / 24_389) * D50
    backward = (xyz @ np.linalg.inv(to_xyz).T).clip(0, 1) ** (1 / 2.2)
    return {b"A2B0": table(grid, forward), b"B2A0": table(grid, backward)}


@pytest.fixture(scope="module")
def table_profile(profile_of: Callable[..., bytes], tables: dict[bytes, bytes]) -> bytes:
    """An RGB profile of tables, as printers have them."""
    return profile_of(b"RGB ", tables, pcs=b"Lab ")


@pytest.fixture(scope="module")
def scanner_profile(profile_of: Callable[..., bytes], tables: dict[bytes, bytes]) -> bytes:
    """An RGB profile that has a table out of it, and none into it."""
    return profile_of(b"RGB ", {b"A2B0": tables[b"A2B0"]}, pcs=b"Lab ")


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


@pytest.mark.parametrize("channels", [1, 3])
def test_no_level_of_a_dark_deep_picture_is_lost(
    channels: int, matrix_profile: Callable[..., bytes], grey_profile: Callable[[float], bytes], to_vips: Any
) -> None:
    ramp = np.arange(3072, dtype=np.uint16).reshape(48, 64, 1).repeat(channels, axis=2)
    image = to_vips(ramp).copy()
    profile = grey_profile(2.2) if channels == 1 else matrix_profile("adobe")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    picture = read_picture(image.tiffsave_buffer())
    assert not picture.exceeds_srgb
    after, _ = raw(write(picture, "tiff"))
    assert (after.reshape(ramp.shape) == ramp).all()


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
    assert not colour.is_srgb(table_profile)
    picture = read_picture(save(cube, "PNG", icc_profile=table_profile))
    after, kept = raw(write(picture, "png"))
    assert kept == table_profile
    assert np.abs(after.astype(int) - cube).max() <= 1


def test_a_profile_of_tables_is_followed(table_profile: bytes, matrix_profile: Callable[..., bytes]) -> None:
    colours = np.random.default_rng(2).integers(60, 200, (16, 16, 3), dtype=np.uint8)
    by_tables, _ = colour.into_srgb(colours, table_profile)
    by_matrix, _ = colour.into_srgb(colours, matrix_profile("srgb", gamma=2.2))
    assert np.abs(by_tables.astype(int) - by_matrix).mean() < 257 * 2


# Profiles that change nothing


def test_srgb_pixels_are_untouched(samples: np.ndarray, save: Any) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(save(samples, "PNG", icc_profile=profile))
    assert picture.pixels.dtype == np.uint8
    assert (picture.pixels == samples).all()
    assert raw(write(picture, "png"))[1] == profile


@pytest.mark.parametrize(("levels", "is_srgb"), [(0.5, True), (1.5, False)])
def test_a_profile_is_srgb_to_within_a_level(
    levels: float, is_srgb: bool, matrix_profile: Callable[..., bytes]
) -> None:
    encoded = np.linspace(0, 1, 4097)
    moved = encoded + levels / 255 * 4 * encoded * (1 - encoded)  # by so many levels in the middle
    light = np.where(moved <= 0.04045, moved / 12.92, ((moved + 0.055) / 1.055) ** 2.4)
    curve = struct.pack(">4sII", b"curv", 0, len(light)) + np.rint(light * 65_535).astype(">u2").tobytes()
    assert colour.is_srgb(matrix_profile("srgb", curve=curve)) == is_srgb


def test_colours_a_little_beyond_srgb_are_kept(matrix_profile: Callable[..., bytes], to_vips: Any) -> None:
    red = colour.out_of_srgb(np.full((4, 4, 3), (65_535, 0, 0), np.uint16), matrix_profile("p3"))
    image = to_vips(red + np.array([200, 0, 0], np.uint16)).copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", matrix_profile("p3"))
    picture = read_picture(image.pngsave_buffer())
    assert (picture.pixels[..., 0] == 65_535).all()
    after, _ = raw(write(picture, "png"))
    assert np.abs(after.astype(int) - red - [200, 0, 0]).max() <= 1


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


def test_profile_of_another_picture_is_never_used(samples: np.ndarray, matrix_profile: Callable[..., bytes]) -> None:
    one, other = matrix_profile("p3"), matrix_profile("adobe")
    for profile in (one, other, one):
        pixels, beyond = colour.into_srgb(samples, profile)
        picture = Picture(pixels, None, beyond, depth=8, metadata=replace(Picture(pixels).metadata, icc=profile))
        assert (raw(write(picture, "png"))[0] == samples).all()


def test_a_profile_that_leads_one_way_becomes_srgb(
    samples: np.ndarray, table_profile: bytes, scanner_profile: bytes, save: Any
) -> None:
    expected = read_picture(save(samples, "PNG", icc_profile=table_profile))
    picture = read_picture(save(samples, "PNG", icc_profile=scanner_profile))
    assert (picture.pixels == expected.pixels).all()
    assert picture.metadata.icc is None
    assert picture.notes == ("it is converted to sRGB, since its colour profile leads one way only",)


def test_a_matrix_profile_leads_back(
    matrix_profile: Callable[..., bytes], grey_profile: Callable[[float], bytes]
) -> None:
    assert colour.leads_back(matrix_profile("p3"), 3)
    assert colour.leads_back(grey_profile(2.2), 1)
