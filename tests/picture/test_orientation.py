from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.orientation import turn_upright
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

ORIENTATION = 0x0112


def turned(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format", "options"),
    [("JPEG", {}), ("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_a_picture_is_turned_upright(
    format: str, options: dict[str, Any], orientation: int, samples: np.ndarray, save: Any
) -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    content = save(samples, format, exif=tags, **options)
    picture = read_picture(content)
    assert picture.pixels.shape[:2] == ((40, 60) if orientation < 5 else (60, 40))
    limit = 3 if format == "JPEG" else 0  # two JPEG decoders
    assert np.abs(picture.pixels.astype(int) - turned(content)).max() <= limit


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_turns_by_its_own_means(orientation: int, samples: np.ndarray, save: Any) -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    expected = turned(save(samples, "PNG", exif=tags))
    picture = read_picture(save(samples, "AVIF", exif=tags.tobytes(), quality=95, subsampling="4:4:4"))
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels.astype(int) - expected).mean() < 3


def test_alpha_is_turned_with_the_colours(samples: np.ndarray, alpha: np.ndarray, save: Any) -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = 8
    picture = read_picture(save(np.dstack([samples, alpha]), "PNG", exif=tags))
    assert picture.alpha is not None
    assert (picture.pixels == np.rot90(samples)).all()
    assert (picture.alpha == np.rot90(alpha)).all()


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int, samples: np.ndarray) -> None:
    assert (turn_upright(samples, orientation) == samples).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("target", ["jpeg", "png", "tiff", "webp", "avif"])
def test_a_written_picture_is_called_upright_everywhere(
    source: str, target: str, orientation: int, make_exif: Any, xmp: bytes, save: Any
) -> None:
    format = format_by_name(target)
    assert format is not None
    tags, packet = make_exif(orientation, nested=False), xmp.replace(b'"6"', b'"%d"' % orientation)
    options: dict[str, Any] = {} if source == "PNG" else {"xmp": packet}
    if source == "TIFF":
        tags[0x02BC], options = packet, {}
    marked = np.zeros((16, 32, 3), np.uint8)
    marked[:8, :8] = 255  # one corner is white
    content = save(marked, source, exif=tags.tobytes(), **options)
    expected = turned(content)[..., 0]
    written = encode_picture(read_picture(content), format)
    with Image.open(io.BytesIO(written)) as image:
        upright, new_tags = np.asarray(image.convert("L")), image.getexif()
        new_packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    assert new_tags.get(ORIENTATION, 1) == 1
    assert (b'tiff:Orientation="1"' in new_packet) == (source != "PNG")
    assert upright.shape == expected.shape
    assert np.abs(upright.astype(int) - expected).mean() < 12
