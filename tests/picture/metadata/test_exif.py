from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restore_cli.picture.metadata.exif import orientation_of, sized_exif, upright_exif
from restore_cli.picture.metadata.exif_resolution import resolution_of
from restore_cli.picture.metadata.tiff_tags import read_tags


def test_only_what_must_change_is_changed(make_exif: Any) -> None:
    block = make_exif(6).tobytes()
    upright = upright_exif(block, (40, 60), 6)
    assert len(upright) == len(block) - 6
    assert sum(old != new for old, new in zip(block[6:], upright, strict=True)) == 1
    sized = sized_exif(upright, (61, 41))
    assert sum(old != new for old, new in zip(upright, sized, strict=True)) == 2
    assert upright_exif(upright, (40, 60), 1) == upright


@pytest.mark.parametrize(("stated", "meant"), [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (300, 1)])
def test_the_orientation_is_read(stated: int, meant: int, make_exif: Any) -> None:
    assert orientation_of(make_exif(stated).tobytes()) == meant
    assert orientation_of(upright_exif(make_exif(stated).tobytes(), (40, 60), meant)) == 1


@pytest.mark.parametrize(("unit", "expected"), [(2, 300 / 25.4), (3, 30.0), (1, None), (None, 300 / 25.4)])
def test_the_resolution_is_read_in_its_unit(unit: int | None, expected: float | None) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B] = 300.0, 300.0
    if unit is not None:
        exif[0x0128] = unit
    resolution = resolution_of(exif.tobytes().removeprefix(b"Exif\0\0"))
    assert resolution == (None if expected is None else pytest.approx((expected, expected)))


def test_a_block_without_resolution_states_none(make_exif: Any) -> None:
    assert resolution_of(b"II*\0\x08\0\0\0\0\0") is None
    exif = Image.Exif()
    exif[0x011A], exif[0x011B] = 0.0, 300.0
    assert resolution_of(exif.tobytes().removeprefix(b"Exif\0\0")) is None


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_damage_to_exif_is_more_than_a_value_error(data: st.DataObject, make_exif: Any) -> None:
    block = bytearray(make_exif(6).tobytes() + bytes(40))
    for _ in range(data.draw(st.integers(1, 8))):
        block[data.draw(st.integers(6, len(block) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(block[: data.draw(st.integers(6, len(block)))])
    try:
        upright = upright_exif(content, (60, 40), data.draw(st.integers(1, 8)))
    except ValueError:
        return
    assert len(sized_exif(upright, (100_000, 3), (60, 40))) == len(upright)
    resolution_of(upright)
    read_tags(io.BytesIO(upright))


@pytest.mark.parametrize("aim", ["itself", "header", "everything", "beyond"])
def test_a_thumbnail_that_claims_the_tags_themselves_harms_nobody(aim: str) -> None:
    start, size = {"itself": (8, 18), "header": (0, 99), "everything": (8, 10**6), "beyond": (10**6, 5)}[aim]
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, start, 0x0202, 4, 1, size, 0)
    block = b"II*\0\x08\0\0\0" + first + second
    try:
        upright = upright_exif(block, (40, 60), 6)
    except ValueError:
        assert aim == "everything"
    else:
        assert orientation_of(upright) == 1


def test_every_strip_of_a_plain_thumbnail_is_wiped() -> None:
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)
    at = 26 + 30 + 16
    second = struct.pack("<HHHIIHHIII", 2, 0x0111, 4, 2, 56, 0x0117, 4, 2, 64, 0)
    lists = struct.pack("<IIII", at, at + 4, 4, 5)
    block = b"II*\0\x08\0\0\0" + first + second + lists + b"oneTWOtwo" + b"kept"
    upright = upright_exif(block, (40, 60), 6)
    assert upright.endswith(bytes(9) + b"kept")


def test_numbers_of_a_thumbnail_may_lie_in_what_is_cut_off() -> None:
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)
    at = 26 + 54
    entries = (0x0201, 4, 1, at, 0x0202, 4, 1, 99, 0x0111, 4, 2, at + 3, 0x0117, 4, 2, at + 11)
    second = struct.pack("<H" + 4 * "HHII" + "I", 4, *entries, 0)
    assert orientation_of(upright_exif(b"II*\0\x08\0\0\0" + first + second + bytes(19), (40, 60), 6)) == 1


def test_a_resolution_that_lies_in_the_header_is_damage() -> None:
    entries = (0x0112, 3, 1, 6, 0x011A, 5, 1, 0, 0x011B, 5, 1, 50)
    block = b"II*\0\x08\0\0\0" + struct.pack("<H" + 3 * "HHII" + "I", 3, *entries, 0) + struct.pack("<II", 300, 1)
    with pytest.raises(ValueError, match="no TIFF header"):
        upright_exif(block, (40, 60), 6)


@pytest.mark.parametrize("tag", [0x8769, 0x8825, 0xA005])
def test_tags_that_point_to_themselves_harm_nobody(tag: int) -> None:
    entries = (0x0112, 3, 1, 6, tag, 4, 1, 8)
    block = b"II*\0\x08\0\0\0" + struct.pack("<H" + 2 * "HHII" + "I", 2, *entries, 8)  # which is its own thumbnail, too
    upright = upright_exif(block, (60, 40), 6)
    assert orientation_of(upright) == 1
    assert len(sized_exif(upright, (600, 400), (60, 40))) == len(upright)
    assert (read_tags(io.BytesIO(upright)).exif is None) == (tag == 0xA005)


@pytest.mark.timeout(100)
def test_strips_of_a_thumbnail_that_lie_over_each_other_are_wiped_once() -> None:
    strips, size = 60_000, 16_000_000
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)
    lists_at = 26 + 30
    second = struct.pack("<HHHIIHHIII", 2, 0x0111, 4, strips, lists_at, 0x0117, 4, strips, lists_at + 4 * strips, 0)
    lists = struct.pack("<I", lists_at + 8 * strips) * strips + struct.pack("<I", size) * strips
    upright = upright_exif(b"II*\0\x08\0\0\0" + first + second + lists + b"T" * size + b"kept", (40, 60), 6)
    assert upright.endswith(struct.pack("<I", size) + bytes(size) + b"kept")
