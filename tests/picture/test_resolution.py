from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

HOLDERS = ("jpeg", "png", "tiff", "webp", "avif")
each_target = pytest.mark.parametrize("target", HOLDERS)


def with_pixel_size(png: bytes, across: int, down: int, unit: int) -> bytes:
    content = b"pHYs" + struct.pack(">IIB", across, down, unit)
    return png[:33] + struct.pack(">I", 9) + content + struct.pack(">I", zlib.crc32(content)) + png[33:]


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
            stated = [image.getexif()[tag] for tag in (0x011A, 0x011B, 0x0128)]
            assert stated == [300, 150, 2]


def test_a_ratio_of_sides_is_not_taken_for_a_resolution(samples: np.ndarray, save: Any) -> None:
    png = with_pixel_size(save(samples, "PNG"), 2, 1, 0)
    for path in (png, save(samples, "TIFF", tiffinfo={282: 2.0, 283: 1.0, 296: 1})):
        assert read_picture(path).metadata.pixels_per_mm is None


@pytest.mark.parametrize("target", ["jpeg", "tiff", "webp"])
def test_inches_stay_inches(target: str, samples: np.ndarray, save: Any) -> None:
    for source, dpi in (("JPEG", 150), ("TIFF", 300), ("PNG", 96)):
        content = encode_picture(read_picture(save(samples, source, dpi=(dpi, dpi))), format_by_name(target))
        with Image.open(io.BytesIO(content)) as image:
            tags = image.tag_v2 if target == "tiff" else image.getexif()
            assert [tags[tag] for tag in (0x011A, 0x011B, 0x0128)] == [dpi, dpi, 2]


def test_a_density_of_metres_comes_back_to_metres(samples: np.ndarray, save: Any) -> None:
    for across, down in ((11_811, 3780), (3779, 2835), (1234, 4_000_000)):
        picture = read_picture(with_pixel_size(save(samples, "PNG"), across, down, 1))
        assert struct.pack(">IIB", across, down, 1) in encode_picture(picture, format_by_name("png"))


@pytest.mark.parametrize("dpi", [25.4, 72])
@pytest.mark.parametrize("source", ["JPEG", "TIFF", "PNG"])
def test_no_stated_resolution_is_too_common_to_count(dpi: float, source: str, samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, source, dpi=(dpi, dpi)))
    stated = round(dpi) if source == "JPEG" else dpi  # which holds whole numbers
    assert picture.metadata.pixels_per_mm == pytest.approx((stated / 25.4, stated / 25.4), rel=1e-3)


def test_a_jpeg_of_a_picture_without_resolution_states_none(samples: np.ndarray, save: Any) -> None:
    content = encode_picture(read_picture(save(samples, "PNG")), format_by_name("jpeg"))
    assert read_picture(content).metadata.pixels_per_mm is None


def test_the_size_that_a_png_states_counts_more_than_its_exif(samples: np.ndarray, save: Any) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 72.0, 72.0, 2
    picture = read_picture(save(samples, "PNG", dpi=(300, 200), exif=exif))
    assert picture.metadata.pixels_per_mm == pytest.approx((300 / 25.4, 200 / 25.4), rel=1e-4)


def test_exif_counts_more_than_jfif(samples: np.ndarray, save: Any) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 200.0, 2
    picture = read_picture(save(samples, "JPEG", dpi=(72, 72), exif=exif))
    assert picture.metadata.pixels_per_mm == pytest.approx((300 / 25.4, 200 / 25.4), rel=1e-4)


@pytest.mark.parametrize("sides", [(2, 1), (1, 1), (0, 1)])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
def test_pixels_that_are_not_square_are_told_of(
    sides: tuple[int, int], source: str, samples: np.ndarray, save: Any
) -> None:
    content = {
        "JPEG": lambda: save(samples, "JPEG").replace(b"\0\0\1\0\1", struct.pack(">BHH", 0, *sides), 1),
        "PNG": lambda: with_pixel_size(save(samples, "PNG"), *sides, 0),
        "TIFF": lambda: save(samples, "TIFF", tiffinfo={282: float(sides[0]), 283: float(sides[1]), 296: 1}),
    }[source]()
    picture = read_picture(content)
    told = ("the shape of its pixels, which are not square, is left out",) if sides == (2, 1) else ()
    assert (picture.notes, picture.metadata.pixels_per_mm) == (told, None)


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


@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_bitmap_keeps_its_resolution(has_alpha: bool, samples: np.ndarray, alpha: np.ndarray, save: Any) -> None:
    picture = replace(read_picture(save(samples, "BMP", dpi=(300, 150))), alpha=alpha if has_alpha else None)
    with Image.open(io.BytesIO(encode_picture(picture, format_by_name("bmp")))) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-3)
