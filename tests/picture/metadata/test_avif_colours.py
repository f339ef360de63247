"""AVIF files without a profile that are not sRGB are told of."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.colour import into_srgb
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.metadata.avif_colours import BOX, is_like_srgb, read_colours
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

SRGB_CURVE = b"para\0\0\0\0" + struct.pack(
    ">HH5i", 3, 0, *(round(65_536 * number) for number in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


@pytest.fixture
def plain(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "AVIF", quality=90, speed=10)
    content = file.getvalue()
    assert BOX in content
    return content


@pytest.mark.parametrize(
    ("primaries", "transfer", "is_other"),
    [(1, 13, False), (2, 2, False), (1, 1, False), (12, 16, True), (9, 16, True), (1, 8, True)],
)
def test_primaries_and_transfer_decide(primaries: int, transfer: int, is_other: bool, plain: bytes) -> None:
    at = plain.index(BOX) + len(BOX)
    content = plain[:at] + struct.pack(">HH", primaries, transfer) + plain[at + 4 :]
    assert read_colours(io.BytesIO(content)) == (primaries, transfer)
    assert is_like_srgb((primaries, transfer)) != is_other
    told = [note for note in read_picture(content).notes if "taken for sRGB" in note]
    assert told == (["its colours are taken for sRGB, though its header says otherwise"] if is_other else [])


def test_a_file_that_is_cut_or_says_nothing_has_none(plain: bytes) -> None:
    assert read_colours(io.BytesIO(plain[: plain.index(BOX) + len(BOX) + 3])) is None
    assert read_colours(io.BytesIO(b"")) is None


def test_display_p3_by_its_numbers_is_display_p3(plain: bytes, matrix_profile: Callable[..., bytes]) -> None:
    at = plain.index(BOX) + len(BOX)
    picture = read_picture(plain[:at] + struct.pack(">HH", 12, 13) + plain[at + 4 :])
    assert picture.notes == ()
    assert picture.beyond_srgb is not None
    samples = read_picture(plain).pixels
    expected, _ = into_srgb(samples, matrix_profile("p3", curve=SRGB_CURVE))
    difference = np.abs(picture.pixels.astype(int) - expected).mean()  # profiles round numbers, which shows near black
    assert difference < 0.1 * np.abs(expected - samples.astype(int) * 257).mean()
    again = read_picture(encode_picture(picture, format_by_name("png")))
    assert again.metadata.icc == picture.metadata.icc
