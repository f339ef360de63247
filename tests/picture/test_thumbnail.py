from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.formats import FORMATS, Format
from restore_cli.picture.picture import Picture
from restore_cli.picture.thumbnail import Thumbnail, TooLargeError, make_thumbnail
from restore_cli.picture.writing import write_picture

LEFT, RIGHT = (200, 80, 40), (30, 120, 200)
"""Colours of the halves of the picture that is used here."""


def halves(height: int = 400, width: int = 600) -> np.ndarray:
    samples = np.empty((height, width, 3), np.uint8)
    samples[:, : width // 2], samples[:, width // 2 :] = LEFT, RIGHT
    return samples


def as_vips(samples: np.ndarray) -> pyvips.Image:
    return pyvips.Image.new_from_array(samples).copy(interpretation="srgb")


def shown(thumbnail: Thumbnail) -> np.ndarray:
    with Image.open(io.BytesIO(thumbnail.content)) as image:
        assert image.format == "WEBP"
        assert image.size == (thumbnail.width, thumbnail.height)
        return np.asarray(image).astype(int)


def assert_halves(thumbnail: Thumbnail) -> None:
    samples = shown(thumbnail)
    assert np.abs(samples[5, 5, :3] - LEFT).max() <= 8
    assert np.abs(samples[-5, -5, :3] - RIGHT).max() <= 8


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_every_format_that_can_be_read(format: Format, tmp_path: Path) -> None:
    source = tmp_path / f"a{format.suffixes[0]}"
    write_picture(Picture(halves()), source, format)
    thumbnail = make_thumbnail(source, 120)
    assert (thumbnail.width, thumbnail.height, thumbnail.transparent) == (120, 80, False)
    assert_halves(thumbnail)


def test_a_small_picture_keeps_its_size(tmp_path: Path) -> None:
    Image.fromarray(halves(40, 60)).save(tmp_path / "a.png")
    assert make_thumbnail(tmp_path / "a.png", 120).width == 60


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_orientation_is_applied(ending: str, tmp_path: Path) -> None:
    source, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(halves()).save(source, exif=exif)
    thumbnail = make_thumbnail(source, 120)
    assert (thumbnail.width, thumbnail.height) == (80, 120)
    assert_halves(thumbnail)


def test_colours_are_brought_into_srgb(tmp_path: Path) -> None:
    picture = as_vips(halves())
    picture.icc_transform("p3", input_profile="srgb", depth=8).jpegsave(str(tmp_path / "p3.jpg"), Q=95)
    picture.icc_transform("p3", input_profile="srgb", depth=16).pngsave(str(tmp_path / "p3.png"))
    picture.icc_transform("cmyk", input_profile="srgb").jpegsave(str(tmp_path / "inks.jpg"), Q=95)
    assert_halves(make_thumbnail(tmp_path / "p3.jpg", 120))
    assert_halves(make_thumbnail(tmp_path / "p3.png", 120))
    assert np.abs(shown(make_thumbnail(tmp_path / "inks.jpg", 120))[5, 5] - LEFT).max() <= 20


def test_a_profile_that_is_damaged_is_left_out(tmp_path: Path) -> None:
    picture = as_vips(halves())
    picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", b"x" * 300)
    picture.jpegsave(str(tmp_path / "a.jpg"), Q=95)
    assert_halves(make_thumbnail(tmp_path / "a.jpg", 120))


@pytest.mark.parametrize("ending", ["png", "tga", "webp"])
def test_transparency_is_kept(ending: str, tmp_path: Path) -> None:
    samples = np.dstack([halves(), np.full((400, 600), 90, np.uint8)])
    Image.fromarray(samples).save(tmp_path / f"a.{ending}")
    small = make_thumbnail(tmp_path / f"a.{ending}", 120)
    assert_halves(small)
    assert small.transparent
    assert abs(shown(small)[40, 20, 3] - 90) <= 3


def test_sixteen_bits_and_grey(tmp_path: Path) -> None:
    as_vips(halves()).colourspace("rgb16").tiffsave(str(tmp_path / "deep.tif"))
    as_vips(halves()).colourspace("grey16").pngsave(str(tmp_path / "grey.png"))
    assert_halves(make_thumbnail(tmp_path / "deep.tif", 120))
    assert set(shown(make_thumbnail(tmp_path / "grey.png", 120))[5, 5]) == {118}


@pytest.mark.parametrize("ending", ["png", "ppm", "bmp"])
def test_a_picture_with_too_many_pixels_is_refused(ending: str, tmp_path: Path) -> None:
    Image.fromarray(halves()).save(tmp_path / f"a.{ending}")
    with pytest.raises(TooLargeError):
        make_thumbnail(tmp_path / f"a.{ending}", 120, max_pixels=239_999)
    assert make_thumbnail(tmp_path / f"a.{ending}", 120, max_pixels=240_000)


def test_a_jpeg_may_have_more_pixels(tmp_path: Path) -> None:
    Image.fromarray(halves()).save(tmp_path / "a.jpg", quality=95)
    assert_halves(make_thumbnail(tmp_path / "a.jpg", 30, max_pixels=48_000))
    with pytest.raises(TooLargeError):
        make_thumbnail(tmp_path / "a.jpg", 30, max_pixels=47_999)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff\xe0 no more", b"P6 10 10 255\n..."])
def test_what_cannot_be_read_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadablePictureError, match="cannot read"):
        make_thumbnail(tmp_path / "a.jpg", 120)


def test_what_is_missing_is_refused_and_any_name_is_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePictureError, match="No such file"):
        make_thumbnail(tmp_path / "a.jpg", 120)
    odd = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xff\n.png")))
    Image.fromarray(halves()).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(odd)
    assert_halves(make_thumbnail(odd, 120))
