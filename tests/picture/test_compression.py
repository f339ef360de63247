"""What files tell of the detail that their compression gave up."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from restore_cli.picture.compression import Compression, compression_of
from restore_cli.picture.reading import read_picture


@pytest.mark.parametrize("quality", [20, 35, 50, 75, 92, 95, 99, 100])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_the_quality_of_a_jpeg_is_that_it_was_made_with(
    quality: int, options: dict[str, Any], samples: np.ndarray, save: Any
) -> None:
    picture = read_picture(save(samples, "JPEG", quality=quality, **options))
    assert picture.compression == Compression("JPEG", quality)
    assert str(picture.compression) == f"JPEG of quality {quality}"


def test_tables_of_other_programs_are_judged_by_their_size(samples: np.ndarray, save: Any) -> None:
    found = [read_picture(save(samples, "JPEG", qtables=[[step] * 64])).compression for step in (2, 20, 60)]
    assert found == [Compression("JPEG", quality) for quality in (98, 83, 48)]


def test_a_grey_jpeg_has_a_quality(samples: np.ndarray, save: Any) -> None:
    assert read_picture(save(samples[..., 0], "JPEG", quality=60)).compression == Compression("JPEG", 60)


def test_damaged_exif_does_not_hide_the_quality(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "JPEG", quality=60, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"))
    assert picture.compression == Compression("JPEG", 60)


def test_steps_of_16_bits_are_read(samples: np.ndarray, save: Any) -> None:
    wide = b"".join(step.to_bytes(2, "big") for step in [20] * 64)
    table = b"\xff\xdb" + (3 + len(wide)).to_bytes(2, "big") + b"\x10" + wide
    assert compression_of(io.BytesIO(b"\xff\xd8" + table), "jpeg") == Compression("JPEG", 83)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xdb\x00\x43\x00" + b"\1" * 9, b"no picture"])
def test_of_a_damaged_jpeg_nothing_is_known(content: bytes) -> None:
    assert compression_of(io.BytesIO(content), "jpeg") is None


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("options", [{}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", "xmp": b"odd"}])
@pytest.mark.parametrize("frames", [1, 3])
def test_webp_is_lossy_or_not(
    lossless: bool, options: dict[str, bytes], frames: int, samples: np.ndarray, save: Any
) -> None:
    others = [Image.fromarray(np.roll(samples, 7 * frame, axis=1)) for frame in range(1, frames)]
    animated: dict[str, Any] = {"save_all": True, "append_images": others} if others else {}
    content = save(samples, "WEBP", lossless=lossless, **options, **animated)
    assert read_picture(content).compression == (None if lossless else Compression("lossy WebP"))


def test_what_comes_before_the_picture_in_a_webp_may_have_an_odd_length(samples: np.ndarray, save: Any) -> None:
    content = save(samples, "WEBP", quality=90)
    odd = content[:12] + b"ICCP" + (3).to_bytes(4, "little") + b"odd\0" + content[12:]
    assert compression_of(io.BytesIO(odd), "webp") == Compression("lossy WebP")


@pytest.mark.parametrize("end", [8, 12, 15, 20])
def test_of_a_cut_webp_nothing_is_known(end: int, samples: np.ndarray, save: Any) -> None:
    content = save(samples, "WEBP", lossless=True)[:end]
    assert compression_of(io.BytesIO(content), "webp") is None


def test_avif_gives_up_detail_whatever_its_brand_and_heic_need_not(samples: np.ndarray, save: Any) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    content = save(samples, "AVIF")
    for brand in (b"avif", b"mif1"):
        assert read_picture(content[:8] + brand + content[12:]).compression == Compression("AVIF")
    assert compression_of(io.BytesIO(content[:8] + b"avis" + content[12:]), "avif") == Compression("AVIF")
    assert compression_of(io.BytesIO(content[:8] + b"heic" + content[12:]), "heic") is None


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_other_formats_give_up_no_detail(format: str, samples: np.ndarray, save: Any) -> None:
    assert read_picture(save(samples, format)).compression is None
