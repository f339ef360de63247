"""Blocks of metadata by themselves: directories of tags, EXIF, XMP, IPTC, chunks of PNG."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restore_cli.picture.directory import (
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    DirectoryWriter,
    Layout,
    Value,
    read_directory,
    read_header,
    read_integers,
    read_value,
)
from restore_cli.picture.exif import exif_of_tiff, orientation_of, resolution_of, sized_exif, upright_exif
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.iptc import photoshop_block, records_of
from restore_cli.picture.naming import shown
from restore_cli.picture.placeholder import Placeholder
from restore_cli.picture.png_chunks import insert_chunks, read_chunks
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture
from restore_cli.picture.xmp import sized_xmp, upright_xmp

# Directories

values = st.sampled_from([1, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, 12]).flatmap(
    lambda kind: st.integers(1, 5).flatmap(
        lambda count: st.binary(min_size=count * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8}[kind],
                                max_size=count * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8}[kind]).map(
            lambda data: Value(kind, data)
        )
    )
)  # fmt: skip


@settings(deadline=None)
@given(
    tags=st.dictionaries(st.integers(1, 65_535), values, max_size=8),
    big=st.booleans(),
    order=st.sampled_from("<>"),
    start=st.integers(0, 40).map(lambda number: 2 * number),
)
def test_what_is_laid_out_is_read_again(tags: dict[int, Value], big: bool, order: Any, start: int) -> None:
    layout = Layout(order, big)
    writer = DirectoryWriter(layout, start)
    first = writer.add(tags)
    second = writer.add({7: Value(SHORT, b"\1\0")}, following=first)
    content = bytes(start) + bytes(writer.content)
    assert (first, len(content) % 2, second % 2) == (start, 0, 0)
    directory = read_directory(content, first, layout)
    assert {tag: read_value(content, entry) for tag, entry in directory.entries.items()} == tags
    assert read_directory(content, second, layout).next == (first if first < len(content) else 0)


@pytest.mark.parametrize(
    ("kind", "data", "turned"),
    [
        (SHORT, b"\1\2\3\4", b"\2\1\4\3"),
        (LONG, b"\1\2\3\4", b"\4\3\2\1"),
        (RATIONAL, b"\1\2\3\4\5\6\7\x08", b"\4\3\2\1\x08\7\6\5"),
        (12, b"\1\2\3\4\5\6\7\x08", b"\x08\7\6\5\4\3\2\1"),
        (UNDEFINED, b"\1\2\3\4", b"\1\2\3\4"),
        (ASCII, b"abc\0", b"abc\0"),
    ],
)
def test_numbers_change_their_byte_order_and_texts_do_not(kind: int, data: bytes, turned: bytes) -> None:
    assert Value(kind, data).in_order(Layout("<"), Layout(">")) == Value(kind, turned)
    assert Value(kind, data).in_order(Layout(">"), Layout(">", big=True)) == Value(kind, data)


def test_entries_that_point_outside_are_left_out() -> None:
    layout = Layout("<")
    table = struct.pack("<HHHIIHHII", 2, 0x10F, 2, 400, 26, 0x110, 2, 4, 0) + bytes(4)
    directory = read_directory(table, 0, layout)
    assert list(directory.entries) == [0x110]
    assert read_integers(table, directory.entries[0x110], layout) == ()
    assert read_integers(table, None, layout) == ()


@pytest.mark.parametrize("content", [b"", b"II", b"II*\0\x08", b"PNG\0\0\0\0\0", b"II+\0\x08\0\0\0"])
def test_a_block_without_a_header_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="no TIFF header|cut"):
        read_header(content)


# EXIF


def test_only_what_must_change_is_changed(make_exif: Any) -> None:
    block = make_exif(6).tobytes()
    upright = upright_exif(block)
    assert len(upright) == len(block) - 6
    assert sum(old != new for old, new in zip(block[6:], upright, strict=True)) == 1
    sized = sized_exif(upright, 61, 41)
    assert sum(old != new for old, new in zip(upright, sized, strict=True)) == 2
    assert upright_exif(upright) == upright


@pytest.mark.parametrize(("stated", "meant"), [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (300, 1)])
def test_the_orientation_is_read(stated: int, meant: int, make_exif: Any) -> None:
    assert orientation_of(make_exif(stated).tobytes()) == meant
    assert orientation_of(upright_exif(make_exif(stated).tobytes())) == 1


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
        upright = upright_exif(content)
    except ValueError:
        return
    assert len(sized_exif(upright, 100_000, 3)) == len(upright)
    resolution_of(upright)
    exif_of_tiff(upright)


@pytest.mark.parametrize("aim", ["itself", "header", "everything", "beyond"])
def test_a_thumbnail_that_claims_the_tags_themselves_harms_nobody(aim: str) -> None:
    start, size = {"itself": (8, 18), "header": (0, 99), "everything": (8, 10**6), "beyond": (10**6, 5)}[aim]
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, start, 0x0202, 4, 1, size, 0)
    block = b"II*\0\x08\0\0\0" + first + second
    try:
        upright = upright_exif(block)
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
    upright = upright_exif(block)
    assert upright.endswith(bytes(9) + b"kept")


# XMP


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'tiff:Orientation="8"', b'tiff:Orientation="1"'),
        (b"tiff:Orientation = '3'", b"tiff:Orientation = '1'"),
        (b"<tiff:Orientation>6</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
        (b"<tiff:Orientation>\n 6</tiff:Orientation>", b"<tiff:Orientation>\n 1</tiff:Orientation>"),
        (b"<a><xmp:Thumbnails><rdf:Alt>\n/9j/4AAQ</rdf:Alt></xmp:Thumbnails></a>", b"<a></a>"),
        (b'<a hdrgm:Version="1.0" b="2"/>', b'<a b="2"/>'),
        (b"<a><Container:Directory><c/></Container:Directory></a>", b"<a></a>"),
        (b'<a dc:title="tiff orientation 6"/>', b'<a dc:title="tiff orientation 6"/>'),
    ],
)
def test_xmp_is_made_upright(before: bytes, after: bytes) -> None:
    assert upright_xmp(before) == after


def test_xmp_gets_the_new_size() -> None:
    packet = b'<a tiff:ImageWidth="60" tiff:ImageLength="40"><exif:PixelXDimension>60</exif:PixelXDimension></a>'
    assert sized_xmp(packet, 240, 160) == packet.replace(b"60", b"240").replace(b"40<", b"40<").replace(
        b'ImageLength="40"', b'ImageLength="160"'
    )


# IPTC


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_iptc_records_are_wrapped_and_unwrapped(size: int) -> None:
    records = b"\x1c" + bytes(range(256)) * 2
    assert records_of(photoshop_block(records[:size])) == records[:size]
    assert records_of(records[:size]) == records[:size]


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_cut_resources_hold_no_records(length: int, iptc: bytes) -> None:
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\x03old\0\0\0\x05hello\0" + photoshop_block(iptc)[14:]
    assert records_of(block) == iptc
    assert records_of(block[:length]) is None


# PNG


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("form", ["plain", "packed", "zTXt"])
def test_chunks_are_found_wherever_they_stand(
    late: bool, form: str, samples: np.ndarray, xmp: bytes, make_exif: Any, save: Any
) -> None:
    key = b"XML:com.adobe.xmp\0"
    text = {
        "plain": chunk(b"iTXt", key + b"\0\0en\0Titel\0" + xmp),
        "packed": chunk(b"iTXt", key + b"\1\0\0\0" + zlib.compress(xmp)),
        "zTXt": chunk(b"zTXt", key + b"\0" + zlib.compress(xmp)),
    }[form]
    plain = save(samples, "PNG")
    at = len(plain) - 12 if late else 33
    content = plain[:at] + text + chunk(b"eXIf", make_exif(6).tobytes()[6:]) + plain[at:]
    exif, packet, has_profile = read_chunks(io.BytesIO(content))
    assert (exif, packet, has_profile) == (make_exif(6).tobytes()[6:], xmp, False)
    picture = read_picture(content)
    assert (picture.width, picture.height) == (40, 60)
    png = format_by_name("png")
    assert png is not None
    with Image.open(io.BytesIO(encode_picture(picture, png))) as image:
        assert image.info["xmp"].startswith(b'<?xpacket begin="\xef\xbb\xbf"')  # UTF-8, as the standard has it


@pytest.mark.parametrize("text", [b"", b"\1\0\0\0junk", b"\1\0", b"\0\0"])
def test_damaged_texts_hold_no_xmp(text: bytes, samples: np.ndarray, save: Any) -> None:
    plain = save(samples, "PNG")
    content = plain[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0" + text) + plain[33:]
    assert not read_chunks(io.BytesIO(content))[1]
    assert (read_picture(content).pixels == samples).all()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_chunks_are_inserted_into_files_of_any_size(size: int, tmp_path: Path) -> None:
    before = bytes(range(33)) + np.random.default_rng(size).bytes(size)
    path = tmp_path / "a.png"
    path.write_bytes(before)
    with path.open("r+b") as file:
        insert_chunks(file, b"II*\0exif", b"<xmp/>")
    after = path.read_bytes()
    inserted = chunk(b"eXIf", b"II*\0exif") + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<xmp/>")
    assert after == before[:33] + inserted + before[33:]


# The placeholder


def test_the_block_is_written_over_its_placeholder() -> None:
    for size in (8, 100, 70_000, 3_000_000):
        block = b"MM\0*" + np.random.default_rng(size).bytes(size - 4)
        placeholder = Placeholder(block)
        file = io.BytesIO(b"II*\0\x08\0\0\0 before" * 3 + placeholder.content + b"after")
        placeholder.replace(file)
        content = file.getvalue()
        assert content.startswith(b"II*\0\x08\0\0\0 before" * 3 + block)
        assert content.endswith(b"after")
        assert set(content[14 * 3 + len(block) : -5]) <= {0}


def test_a_lost_placeholder_is_no_secret() -> None:
    with pytest.raises(AssertionError, match="no EXIF"):
        Placeholder(b"II*\0").replace(io.BytesIO(bytes(100)))


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b[1]é.png", "a b[1]é.png"),
        ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\udcff", "\\udcff"),
        ("\u202e", "\\u202e"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_names_are_shown_on_one_line(name: str, expected: str) -> None:
    assert shown(Path(name)) == expected
