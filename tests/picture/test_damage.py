"""Cut and altered files: a picture is read whole, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture

HARMLESS_TAIL = {
    "jpeg": 2,  # the end marker
    "png": 12,  # the chunk IEND, which holds nothing
    "gif": 1,  # the trailer, which holds nothing
    "bmp": 2,  # the last row is filled up to a multiple of four bytes
    "tga": 26,  # the footer of version 2
    "qoi": 8,  # the end marker
    "ico": 22,  # the end of the PNG inside
    "tiff-big": 8,  # that no other page follows
    "tiff-fax": 4,  # the end marker and what fills the last byte
    "pgm-plain": 3,  # a number that has lost digits is still a number
}
"""Bytes at the end of a file without which all of the first picture is there, or no reader can tell."""
UNTOLD = {"pgm-plain"}
"""Kinds whose last number may lose digits and nobody can tell."""


def tail_of(name: str) -> int:
    return HARMLESS_TAIL.get(name, HARMLESS_TAIL.get(name.split("-")[0], 0))


def refused(content: bytes, **options: int) -> bool:
    """Read a file and tell whether it was refused, in one line."""
    try:
        read_picture(content, **options)
    except UnreadablePictureError as error:
        message = error.message
    else:
        return False
    return message.startswith("cannot read the bytes given: ") and message.isprintable()


def is_same(one: Picture, other: Picture) -> bool:
    return one.pixels.shape == other.pixels.shape and bool((one.pixels == other.pixels).all())


def without_later_frames(name: str, content: bytes) -> int:
    """Return how many bytes a file has up to the end of its first frame; a GIF's later frames may be missing."""
    return content.index(b"\x21\xf9", content.index(b"\x21\xf9") + 2) if name == "gif-animated" else len(content)


@pytest.mark.parametrize("share", [0.003, 0.02, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99, 0.999])
def test_a_cut_file_is_never_read_in_part(share: float, encoded: Any) -> None:
    whole = without_later_frames(encoded.name, encoded.content)
    length = min(max(1, int(whole * share)), whole - tail_of(encoded.name) - 1)
    assert refused(encoded.content[:length])


def test_no_byte_is_missing_unnoticed_at_the_end(encoded: Any) -> None:
    whole, tail = without_later_frames(encoded.name, encoded.content), tail_of(encoded.name)
    picture = read_picture(encoded.content)
    for missing in range(1, 41):
        if missing > tail:
            assert refused(encoded.content[: whole - missing]), missing
        elif encoded.name not in UNTOLD and not refused(encoded.content[: whole - missing]):
            assert is_same(read_picture(encoded.content[: whole - missing]), picture), missing


def test_no_byte_is_missing_unnoticed_at_the_start(encoded: Any) -> None:
    for length in range(1, 60):
        assert refused(encoded.content[:length])


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.bmp", "photo.jp2"])
def test_a_cut_file_is_called_by_its_name(name: str, tmp_path: Path, samples: np.ndarray, save: Any) -> None:
    path = tmp_path / name
    format = {"jpg": "JPEG", "jp2": "JPEG2000"}.get(name[6:], name[6:].upper())
    content = save(samples, format)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadablePictureError) as caught:
        read_picture(path)
    assert caught.value.message.startswith(f"cannot read {path}: ")
    assert "cut" in caught.value.message


CHECKED = ("png", "png-16", "png-palette", "png-interlaced")
"""Kinds of files with check sums over the samples."""


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_an_altered_byte_is_an_error_or_a_picture_of_the_same_size(share: float, encoded: Any) -> None:
    altered = bytearray(encoded.content)
    altered[int(len(altered) * share)] ^= 0x55
    whole = read_picture(encoded.content)
    if encoded.name in CHECKED:
        assert refused(bytes(altered))
    elif not refused(bytes(altered)):
        picture = read_picture(bytes(altered))
        assert picture.pixels.dtype == whole.pixels.dtype
        assert picture.pixels.shape == whole.pixels.shape


def test_a_decoder_that_notices_damage_says_so(samples: np.ndarray, save: Any) -> None:
    content = save(samples, "JPEG", progressive=True, quality=95)
    said = 0
    for at in range(len(content) // 3, len(content) - 2, 29):
        altered = bytearray(content)
        altered[at] ^= 0x55
        try:
            said += any(note.startswith("parts of it may be damaged") for note in read_picture(bytes(altered)).notes)
        except UnreadablePictureError:
            said += 1
    assert said > 10


def test_a_hole_of_zeros_to_the_end_is_an_error(encoded: Any) -> None:
    """An interrupted download often has its full length. Formats without marks or check sums cannot tell."""
    content = encoded.content
    half = content[: len(content) // 2] + bytes(len(content) - len(content) // 2)
    if encoded.name.split("-")[0] in ("jpeg", "png"):
        assert refused(half)
    elif not refused(half):
        assert read_picture(half).pixels.shape == read_picture(content).pixels.shape


SIGNATURES = {
    "none": b"",
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "tiff": b"II*\0",
    "tiff-motorola": b"MM\0*",
    "tiff-big": b"II+\0",
    "webp": b"RIFF\x99\0\0\0WEBP",
    "avif": b"\0\0\0\x1cftypavif",
    "heic": b"\0\0\0\x1cftypheic",
    "gif": b"GIF89a",
    "bmp": b"BM",
    "ppm": b"P6\n",
    "ppm-plain": b"P3\n",
    "pbm": b"P4 ",
    "tga": b"\0\0\x02" + bytes(9),
    "tga-packed": b"\0\0\x0a" + bytes(9),
    "dds": b"DDS \x7c\0\0\0" + bytes(68) + b"\x20\0\0\0",
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "jp2-stream": b"\xff\x4f\xff\x51",
    "qoi": b"qoif",
    "pcx": b"\x0a\x05\x01\x08",
    "ico": b"\0\0\x01\0\x01\0",
}


@pytest.mark.parametrize("kind", SIGNATURES)
@settings(max_examples=25, deadline=None)
@given(rest=st.binary(max_size=300))
def test_noise_behind_any_signature_is_refused_or_a_picture(kind: str, rest: bytes) -> None:
    content = SIGNATURES[kind] + rest
    assert refused(content, max_pixels=1_000_000) or read_picture(content).pixels.ndim == 3


def test_altered_headers_are_refused_or_pictures(encoded: Any) -> None:
    rng = np.random.default_rng(4)
    for _ in range(25):
        altered = bytearray(encoded.content)
        for at in rng.integers(0, min(len(altered), 200), 2):
            altered[at] = rng.integers(0, 256)
        if not refused(bytes(altered), max_pixels=4_000_000):
            picture = read_picture(bytes(altered))
            assert picture.pixels.shape[:2] == (picture.height, picture.width)


def test_bytes_behind_the_picture_do_not_matter(encoded: Any) -> None:
    assert is_same(read_picture(encoded.content + b"\0\n" * 20), read_picture(encoded.content))
