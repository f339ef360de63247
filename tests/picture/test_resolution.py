from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image
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


def test_a_bitmap_keeps_its_resolution(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "BMP", dpi=(300, 150)))
    with Image.open(io.BytesIO(encode_picture(picture, format_by_name("bmp")))) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-3)
