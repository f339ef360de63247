from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, JpegImagePlugin

from restore_cli.picture import vips_saving
from restore_cli.picture.encoding import stored_depth
from restore_cli.picture.formats import FORMATS, Format, format_by_name, format_of_path
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture, write_picture

LOSSLESS = ("png", "tiff", "bmp", "ppm", "tga", "dds", "jp2")
each_format = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


@pytest.fixture
def picture(samples: np.ndarray) -> Picture:
    return Picture(samples)


@each_format
def test_a_picture_comes_back_as_it_was_written(format: Format, picture: Picture, tmp_path: Path) -> None:
    target = tmp_path / f"picture{format.suffixes[0]}"
    write_picture(picture, target, format)
    again = read_picture(target)
    assert (again.format, again.depth, again.alpha, again.notes) == (format.name, 8, None, ())
    difference = np.abs(again.pixels.astype(int) - picture.pixels)
    if format.name in LOSSLESS:
        assert difference.max() == 0
    else:
        assert difference.mean() < 4


@each_format
def test_grey_stays_grey(format: Format, samples: np.ndarray) -> None:
    grey = np.ascontiguousarray(samples[..., :1])
    again = read_picture(encode_picture(Picture(grey), format))
    assert again.pixels.shape == (*grey.shape[:2], 1 if format.grey else 3)
    assert again.alpha is None
    difference = np.abs(again.pixels.astype(int) - grey)
    if format.name in (*LOSSLESS, "gif"):
        assert difference.max() == 0
    else:
        assert difference.mean() < 4


@each_format
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_is_kept_or_laid_on_white(format: Format, channels: int, samples: np.ndarray, alpha: np.ndarray) -> None:
    pixels = np.ascontiguousarray(samples[..., :channels])
    again = read_picture(encode_picture(Picture(pixels, alpha), format))
    assert (again.alpha is not None) == format.alpha
    if format.name in ("png", "tiff", "bmp", "tga", "dds", "jp2"):
        assert (again.pixels == pixels).all()
        assert (again.alpha == alpha).all()
    elif format.name == "ppm":
        cover = alpha[..., None] / 255
        assert np.abs(again.pixels - (pixels * cover + 255 * (1 - cover))).max() <= 0.5
    elif format.name in ("webp", "avif"):
        assert np.abs(again.alpha.astype(int) - alpha).mean() < 6  # noise is the worst case


@pytest.mark.parametrize("channels", [1, 3])
def test_a_bitmap_has_an_alpha_only_where_it_shows(channels: int, samples: np.ndarray) -> None:
    pixels, alpha = samples[..., :channels], np.full(samples.shape[:2], 255, np.uint8)
    plain = encode_picture(Picture(pixels), "bmp")
    assert encode_picture(Picture(pixels, alpha), "bmp") == plain
    alpha[3, 4] = 254
    content = encode_picture(Picture(pixels, alpha), "bmp")
    assert content[14:18] == b"\x6c\0\0\0"  # the header of version 4
    again = read_picture(content)
    assert again.alpha is not None
    assert (again.alpha == alpha).all()


@each_format
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_kept_where_the_format_holds_them(
    format: Format, channels: int, deep_samples: np.ndarray
) -> None:
    pixels = np.ascontiguousarray(deep_samples[..., :channels])
    again = read_picture(encode_picture(Picture(pixels, depth=16), format))
    assert again.depth == (16 if 16 in format.depths or (format.name == "jp2" and channels == 1) else 8)
    if format.name in LOSSLESS:
        assert (again.pixels == (pixels if again.depth == 16 else np.rint(pixels / 257))).all()


def test_sixteen_bits_with_alpha_are_kept(deep_samples: np.ndarray) -> None:
    alpha = np.ascontiguousarray(deep_samples[::-1, :, 0])
    for name in ("png", "tiff"):
        again = read_picture(encode_picture(Picture(deep_samples, alpha, depth=16), format_by_name(name)))
        assert (again.pixels == deep_samples).all()
        assert (again.alpha == alpha).all()


def test_a_deep_avif_keeps_white_and_twelve_bits() -> None:
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)
    pixels = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (32, 64, 3)))
    content = encode_picture(Picture(pixels, depth=16), format_by_name("avif"), quality=100)
    assert pyvips.Image.new_from_buffer(content, "").get("bits-per-sample") == 12
    again = read_picture(content)
    assert (again.pixels[:, -1] == 65_535).all()
    assert (again.pixels[:, 0] == 0).all()
    assert np.abs(again.pixels.astype(int) - pixels).max() < 64  # a quarter of an 8-bit level


def test_eight_bits_of_deeper_pixels_are_rounded(samples: np.ndarray) -> None:
    deep = samples.astype(np.uint16) * 257
    for offset in (-128, 0, 128):
        shifted = (deep.astype(int) + offset).clip(0, 65_535).astype(np.uint16)
        assert (read_picture(encode_picture(Picture(shifted, depth=8), format_by_name("png"))).pixels == samples).all()


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jp2"])
def test_quality_trades_bytes_for_likeness(name: str, picture: Picture) -> None:
    sizes, errors = [], []
    for quality in (20, 60, 95):
        content = encode_picture(picture, format_by_name(name), quality=quality)
        sizes.append(len(content))
        errors.append(np.abs(read_picture(content).pixels.astype(int) - picture.pixels).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert sizes[0] < sizes[2]


@pytest.mark.parametrize("name", ["webp", "jp2"])
def test_with_a_quality_of_100_nothing_is_lost(name: str, samples: np.ndarray, alpha: np.ndarray) -> None:
    again = read_picture(encode_picture(Picture(samples, alpha), format_by_name(name), quality=100))
    assert again.alpha is not None
    assert (again.pixels == samples).all()
    assert (again.alpha == alpha).all()


@pytest.mark.parametrize(("name", "quality"), [("jpeg", 95), ("webp", 95), ("avif", 85)])
def test_a_lossy_format_has_a_quality_of_its_own(name: str, quality: int, picture: Picture) -> None:
    format = format_by_name(name)
    usual = encode_picture(picture, format)
    assert usual == encode_picture(picture, format, quality=quality)
    assert usual != encode_picture(picture, format, quality=quality - 5)  # an encoder may know fewer steps than 100


@pytest.mark.parametrize("quality", [None, 30])
def test_a_jpeg_holds_colour_at_full_resolution(quality: int | None, picture: Picture) -> None:
    with Image.open(io.BytesIO(encode_picture(picture, format_by_name("jpeg"), quality=quality))) as image:
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4


def test_the_ending_chooses_the_kind_of_jpeg_2000(picture: Picture, tmp_path: Path) -> None:
    for suffix, start in ((".jp2", b"\0\0\0\x0cjP  "), (".j2k", b"\xff\x4f\xff\x51")):
        write_picture(picture, tmp_path / f"a{suffix}", format_by_name("jp2"))
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(start)


@each_format
def test_encoded_bytes_are_those_of_the_file(format: Format, picture: Picture, tmp_path: Path) -> None:
    described = replace(picture, metadata=Metadata(xmp=b"<x:xmpmeta/>", pixels_per_mm=(11.8, 11.8)))
    target = tmp_path / f"picture{format.suffixes[0]}"
    write_picture(described, target, format)
    assert target.read_bytes() == encode_picture(described, format)


def test_stored_depth_is_what_the_format_holds(picture: Picture) -> None:
    assert stored_depth(replace(picture, depth=16), format_by_name("png")) == 16
    assert stored_depth(replace(picture, depth=16), format_by_name("jpeg")) == 8
    assert stored_depth(picture, format_by_name("png")) == 8


def test_jpeg_2000_holds_sixteen_bits_of_grey_alone(picture: Picture) -> None:
    jp2, deep = format_by_name("jp2"), replace(picture, depth=16)
    grey = replace(deep, pixels=picture.pixels[..., :1])
    assert stored_depth(grey, jp2) == 16
    assert stored_depth(replace(grey, alpha=picture.pixels[..., 1]), jp2) == 8
    assert stored_depth(deep, jp2) == 8


@each_format
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (17, 1)])
def test_tiny_pictures_are_written(format: Format, shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, np.uint8)
    again = read_picture(encode_picture(Picture(pixels), format))
    assert again.pixels.shape == pixels.shape
    assert np.abs(again.pixels.astype(int) - 200).max() <= 3


def test_endings_and_names_lead_to_formats() -> None:
    assert format_of_path("A/B.JPG") is format_by_name("jpeg") is format_by_name("JPG")
    assert format_of_path(Path("x.tif")) is format_by_name("tiff") is format_by_name("TIF")
    assert format_of_path("x.pgm") is format_by_name("ppm")
    assert format_of_path("x.txt") is format_of_path("png") is format_by_name("bitmap") is None


@each_format
def test_other_programs_can_read_what_is_written(format: Format, picture: Picture) -> None:
    with Image.open(io.BytesIO(encode_picture(picture, format))) as image:
        assert image.size == (60, 40)
        shown = np.asarray(image.convert("RGB"), int)
    assert np.abs(shown - picture.pixels).mean() < 4


def test_nothing_of_the_machine_is_written(picture: Picture) -> None:
    content: Any = encode_picture(picture, format_by_name("png"))
    assert b"tEXt" not in content
    assert b"eXIf" not in content


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("tiff", 1000, {"bigtiff": False, "tile": None}),
        ("tiff", 20_000, {"bigtiff": False, "tile": True}),
        ("tiff", 40_000, {"bigtiff": True, "tile": True}),
        ("jpeg", 1000, {"optimize_coding": True}),
        ("jpeg", 20_000, {"optimize_coding": False}),
    ],
)
def test_the_size_alone_decides_how_a_file_is_laid_out(name: str, side: int, expected: dict[str, object]) -> None:
    options = vips_saving._save_options(format_by_name(name), None, pyvips.Image.black(side, side, bands=3), False)
    assert {key: options.get(key) for key in expected} == expected


def test_lossy_webp_keeps_colours_under_transparency(samples: np.ndarray) -> None:
    alpha = np.zeros(samples.shape[:2], np.uint8)
    alpha[:, 30:] = 255
    again = read_picture(encode_picture(Picture(samples, alpha), format_by_name("webp")))
    visible, hidden = (
        np.abs(again.pixels - samples.astype(float))[:, part].mean() for part in ([*range(30, 60)], [*range(30)])
    )
    assert hidden < 3 * visible


def test_a_lossless_webp_stays_lossless_unless_a_quality_is_asked_for(samples: np.ndarray, save: Any) -> None:
    alpha = np.zeros(samples.shape[:2], np.uint8)
    alpha[:, 5:] = 200
    source = save(np.dstack([samples, alpha]), "WEBP", lossless=True, exact=True)
    picture, webp = read_picture(source), format_by_name("webp")
    again = read_picture(encode_picture(picture, webp))
    assert again.lossless
    assert (again.pixels == samples).all(), "hidden ones, too"
    assert (again.alpha == alpha).all()
    assert not read_picture(encode_picture(picture, webp, quality=90)).lossless
    lossy = read_picture(save(samples, "WEBP", quality=90))
    assert not lossy.lossless
    assert not read_picture(encode_picture(lossy, webp)).lossless
