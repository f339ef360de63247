from __future__ import annotations

import io
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.netpbm import write_header, write_rows
from restore_cli.picture.reading import read_picture


def encode(samples: np.ndarray, file: IO[bytes]) -> None:
    """Write a header and rows; the rows come in two bands."""
    height, width, channels = samples.shape
    write_header(height, width, channels, 8 * samples.itemsize, file)
    for band in (samples[: height // 2], samples[height // 2 :]):
        write_rows(band, file)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("plain", [False, True])
def test_samples_come_back_bit_for_bit(channels: int, dtype: type, plain: bool) -> None:
    largest = np.iinfo(dtype).max
    samples = np.random.default_rng(1).integers(0, largest, (7, 11, channels), dtype=dtype, endpoint=True)
    samples[0, 0], samples[-1, -1] = 0, largest
    if plain:
        kind = 3 if channels == 3 else 2
        content = (
            b"P%d %d %d %d\n" % (kind, 11, 7, largest) + b" ".join(b"%d" % value for value in samples.ravel()) + b"\n"
        )
    else:
        file = io.BytesIO()
        encode(samples, file)
        content = file.getvalue()
    picture = read_picture(content)
    assert picture.depth == 8 * samples.itemsize
    assert (picture.pixels == samples).all()


def test_other_programs_read_what_is_written() -> None:
    samples = np.random.default_rng(1).integers(0, 65_536, (7, 11, 1), dtype=np.uint16)
    file = io.BytesIO()
    encode(samples, file)
    with Image.open(file) as image:
        assert (np.asarray(image) == samples[..., 0]).all()


@pytest.mark.parametrize(("largest", "full"), [(1, 255), (15, 255), (100, 255), (1023, 65_535), (4095, 65_535)])
@pytest.mark.parametrize("plain", [False, True])
def test_white_is_the_largest_value(largest: int, full: int, plain: bool) -> None:
    values = np.array([0, largest // 2, largest])
    if plain:
        content = b"P2 3 1 %d\n" % largest + b" ".join(b"%d" % value for value in values) + b"\n"
    else:
        content = b"P5 3 1 %d\n" % largest + values.astype("u1" if largest < 256 else ">u2").tobytes()
    expected = np.rint(values * full / largest)
    assert (read_picture(content).pixels.ravel() == expected).all()


@pytest.mark.parametrize(
    "header",
    [
        b"P5 3 2 255\n",
        b"P5\n3 2\n255\n",
        b"P5\n# by hand\n3 2 # size\n255 ",
        b"P5\t3\r2\n\n255\n",
        b"P5#a\n#b\n3 2 255\n",
    ],
)
def test_headers_hold_spaces_and_comments(header: bytes) -> None:
    picture = read_picture(header + bytes(range(6)))
    assert picture.pixels[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_samples_may_look_like_comments_and_spaces() -> None:
    assert read_picture(b"P5 4 1 255\n#\n 9").pixels.ravel().tolist() == [35, 10, 32, 57]


def test_ones_of_a_bitmap_are_black() -> None:
    expected = [[0, 255, 0], [255, 255, 0]]
    assert read_picture(b"P1\n3 2\n101\n0 0 1").pixels[..., 0].tolist() == expected
    assert read_picture(b"P4\n3 2\n\xa0\x3f").pixels[..., 0].tolist() == expected


@pytest.mark.parametrize(
    "content", [b"P4 11 30\n" + bytes(range(60)), b"P6 3 30 300\n" + (b"\1\2" * 270), b"P2 2 30 9\n" + b"7 9 " * 30]
)
def test_bands_make_the_same_picture(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_picture(content)
    monkeypatch.setattr("restore_cli.scratch.BAND_BYTES", 40)
    bands = read_picture(content)
    assert (bands.pixels == whole.pixels).all()
    assert bands.pixels.dtype == whole.pixels.dtype
    with pytest.raises(UnreadablePictureError, match="it is cut"):
        read_picture(content[:-4])


def test_comments_among_plain_values_are_skipped() -> None:
    assert read_picture(b"P2 2 1 9\n# first 5\n9 # second 7\n0\n").pixels.ravel().tolist() == [255, 0]


@pytest.mark.parametrize(
    "content",
    [
        b"P5 3 2 255\n\0\0\0",
        b"P5 3 2 65535\n" + bytes(6),
        b"P5 3 2 70000\n" + bytes(12),
        b"P5 3 2 0\n" + bytes(12),
        b"P5 3 2 100\n" + b"\xff" * 6,
        b"P5 -3 2 255\n" + bytes(6),
        b"P6 99999999999 2 255\n" + bytes(6),
        b"P2 2 1 255\n1 x\n",
        b"P2 2 1 255\n1 -1\n",
        b"P2 2 1 255\n1 300\n",
        b"P2 2 1 255\n1 99999999999999999999\n",
        b"P2 2 1 255\n1 1_0\n",
        b"P2 2 1 255\n1 " + b"0" * 4000 + b"7\n",
        b"P1 2 1\n1 7\n",
        b"P4 20 2\n\0\0\0\0\0",
        b"P5 3 2",
        b"Pf 3 2 1.0\n" + bytes(24),
    ],
)
def test_cut_and_damaged_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePictureError):
        read_picture(content)


def test_a_deep_picture_is_read_in_no_time(save: Any) -> None:
    content = b"P6 2000 2000 1023\n" + bytes(24_000_000)
    assert read_picture(content).pixels.shape == (2000, 2000, 3)  # value by value this takes many seconds
