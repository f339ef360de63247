from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

HOLDERS = ("jpeg", "png", "tiff", "webp", "avif")
each_target = pytest.mark.parametrize("target", HOLDERS)


@each_target
def test_a_resolution_that_nobody_stated_is_not_invented(
    target: str, samples: np.ndarray, save: Any, tags_of: Any
) -> None:
    for source in ("JPEG", "PNG", "TIFF", "WEBP", "BMP"):
        picture = read_picture(save(samples, source, **({"dpi": (0, 0)} if source == "BMP" else {})))
        assert picture.metadata.pixels_per_mm is None, source
        content = encode_picture(picture, format_by_name(target))
        with Image.open(io.BytesIO(content)) as image:
            stated = image.info.get("dpi")
        assert stated is None or np.allclose(stated, 72, atol=0.02)
        if target not in ("tiff", "png"):
            assert tags_of(content) == {}


@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "BMP"])
@each_target
def test_a_stated_resolution_is_kept(source: str, target: str, samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, source, dpi=(300, 150)))
    assert picture.metadata.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-4)
    content = encode_picture(picture, format_by_name(target))
    assert read_picture(content).metadata.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-3)
    with Image.open(io.BytesIO(content)) as image:
        if target in ("png", "tiff"):
            assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-3)
        else:
            stated = [image.getexif()[tag] * 2.54 for tag in (0x011A, 0x011B)]
            assert stated == pytest.approx([300, 150], rel=1e-3)


def test_a_ratio_of_sides_is_not_taken_for_a_resolution(samples: np.ndarray, save: Any) -> None:
    ratio = PngInfo()
    ratio.add(b"pHYs", struct.pack(">IIB", 2, 1, 0))
    for path in (save(samples, "PNG", pnginfo=ratio), save(samples, "TIFF", tiffinfo={282: 2.0, 283: 1.0, 296: 1})):
        assert read_picture(path).metadata.pixels_per_mm is None


def test_a_tiff_without_unit_speaks_of_inches(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "TIFF", tiffinfo={282: 254.0, 283: 127.0}))
    assert picture.metadata.pixels_per_mm == pytest.approx((10, 5), rel=1e-4)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
@each_target
def test_a_resolution_beside_exif_that_states_none_is_kept(
    source: str, target: str, samples: np.ndarray, save: Any, tags_of: Any
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ann, who writes more than fits in an offset"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] = 2.8
    picture = read_picture(save(samples, source, dpi=(300, 150), exif=exif))
    assert picture.metadata.exif is not None
    content = encode_picture(picture, format_by_name(target))
    assert read_picture(content).metadata.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-3)
    with Image.open(io.BytesIO(content)) as image:
        written = image.getexif()
        assert written[ExifTags.Base.Artist] == exif[ExifTags.Base.Artist]
        if source != "TIFF":  # where Pillow writes none
            assert written.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] == pytest.approx(2.8)


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_resolution_turns_with_the_picture(
    source: str, states: bool, orientation: int, samples: np.ndarray, save: Any
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if states or source == "WEBP":  # which has no other place for it
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = 300.0, 150.0
        exif[ExifTags.Base.ResolutionUnit] = 2
    picture = read_picture(save(samples, source, exif=exif, **({} if source == "WEBP" else {"dpi": (300, 150)})))
    expected = (150, 300) if orientation == 6 else (300, 150)
    assert picture.metadata.pixels_per_mm == pytest.approx([density / 25.4 for density in expected], rel=1e-3)
    again = read_picture(encode_picture(picture, format_by_name("jpeg")))
    assert again.metadata.pixels_per_mm == pytest.approx([density / 25.4 for density in expected], rel=1e-3)


def test_a_pixel_a_millimetre_is_a_resolution(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "PNG", dpi=(25.4, 25.4)))
    assert picture.metadata.pixels_per_mm == pytest.approx((1, 1))


def test_a_bitmap_keeps_its_resolution(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "BMP", dpi=(300, 150)))
    with Image.open(io.BytesIO(encode_picture(picture, format_by_name("bmp")))) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-3)
