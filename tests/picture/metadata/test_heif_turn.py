"""AVIF and HEIC are turned by their containers, and what EXIF says of places turns with them."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.formats import HAS_HEIC, format_by_name
from restore_cli.picture.metadata.heif_turn import read_turn
from restore_cli.picture.orientation import turn_upright
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

ORIENTATION, MAKE, CAMERA, SUBJECT_AREA = 0x0112, 0x010F, 0x8769, 0x9214


def turned_avif(samples: np.ndarray, orientation: int, save: Any) -> bytes:
    """Return a file that Pillow turns by its container, and whose EXIF block calls it upright."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = orientation, "Maker"
    exif.get_ifd(CAMERA)[SUBJECT_AREA] = (11, 7, 6, 4)
    content: bytes = save(samples, "AVIF", exif=exif, quality=90, speed=10)
    return content


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_turn_is_that_of_the_decoder(orientation: int, samples: np.ndarray, save: Any, tags_of: Any) -> None:
    content = turned_avif(samples, orientation, save)
    assert read_turn(io.BytesIO(content)) == orientation
    picture = read_picture(content)
    upright = turn_upright(samples, orientation)
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 6
    marked = np.zeros_like(samples)
    marked[7, 11] = 255
    ((row,), (column,)) = np.nonzero(turn_upright(marked, orientation)[..., 0])
    extent = (4, 6) if orientation >= 5 else (6, 4)
    tags = tags_of(encode_picture(picture, format_by_name("png")))
    assert tags["camera", SUBJECT_AREA] == (column, row, *extent)


def test_an_orientation_that_no_decoder_follows_turns_no_places(samples: np.ndarray, save: Any, tags_of: Any) -> None:
    content = turned_avif(samples, 6, save).replace(b"irot", b"free")
    picture = read_picture(content)
    assert picture.pixels.shape == samples.shape
    assert tags_of(encode_picture(picture, format_by_name("png")))["camera", SUBJECT_AREA] == (11, 7, 6, 4)


@pytest.mark.skipif(not HAS_HEIC, reason="HEIC is an extra")
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_heic_says_it_in_the_same_way(orientation: int, samples: np.ndarray, save: Any) -> None:
    image = Image.fromarray(samples)
    image.getexif()[ORIENTATION] = orientation
    assert read_turn(io.BytesIO(save(image, "HEIF", quality=50))) == orientation


def test_a_damaged_file_is_not_turned(samples: np.ndarray, save: Any) -> None:
    content = turned_avif(samples, 6, save)
    for length in range(0, content.index(b"mdat"), 5):
        assert read_turn(io.BytesIO(content[:length])) in (1, 6)
    at = content.index(b"ipma")
    for junk in (bytes(12), b"\xff" * 12, struct.pack(">IIHB", 0, 2**32 - 1, 1, 255) + b"\x7f"):
        assert read_turn(io.BytesIO(content[: at + 4] + junk + content[at + 4 + len(junk) :])) == 1
