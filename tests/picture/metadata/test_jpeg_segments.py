from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.jpeg_segments import (
    APP,
    COM,
    DQT,
    READ_BYTES,
    contents,
    has_jumbf,
    read_exif,
    read_quantisation,
    walk_segments,
)
from restore_cli.picture.metadata.layout import SHORT, UNDEFINED, Layout, Value
from restore_cli.picture.reading import read_picture

ORIENTATION, MAKER_NOTE = 0x0112, 0x927C


def exif_block(orientation: int, note: bytes, *, tags_last: bool = False) -> bytes:
    """Make a block whose tags stand before the note or behind it."""
    layout = Layout()
    behind = 8 + len(note) if tags_last else 8
    writer = DirectoryWriter(layout, behind)
    tags = {ORIENTATION: Value(SHORT, struct.pack("<H", orientation))}
    if tags_last:
        writer.add(tags)
        return b"II*\0" + layout.offset.pack(behind) + note + bytes(writer.content)
    writer.add(tags | {MAKER_NOTE: Value(UNDEFINED, note)})
    return b"II*\0" + layout.offset.pack(8) + bytes(writer.content)


def with_exif(jpeg: bytes, block: bytes, part: int = 65_527) -> bytes:
    """Put a block into a JPEG, in as many segments as it takes, as cameras and other programs do."""
    parts = [b"Exif\0\0" + block[at : at + part] for at in range(0, len(block), part)]
    return jpeg[:2] + b"".join(struct.pack(">HH", 0xFFE1, len(each) + 2) + each for each in parts) + jpeg[2:]


@pytest.mark.parametrize("tags_last", [False, True])
@pytest.mark.parametrize("part", [60_000, 65_527])
def test_exif_in_several_segments_is_put_together(part: int, tags_last: bool, samples: np.ndarray, save: Any) -> None:
    block = exif_block(6, b"N" * 150_000, tags_last=tags_last)
    picture = read_picture(with_exif(save(samples, "JPEG"), block, part))
    assert picture.notes == ()
    assert (picture.width, picture.height) == (40, 60)
    assert picture.metadata.exif == block.replace(
        struct.pack("<HHIH", ORIENTATION, SHORT, 1, 6), struct.pack("<HHIH", ORIENTATION, SHORT, 1, 1)
    )


def test_a_second_block_is_no_part_of_the_first(samples: np.ndarray, save: Any) -> None:
    first, second = exif_block(6, b"first"), exif_block(3, b"second")
    picture = read_picture(with_exif(with_exif(save(samples, "JPEG"), second), first))
    assert (picture.width, picture.height) == (40, 60)
    assert picture.metadata.exif is not None
    assert len(picture.metadata.exif) == len(first)


def segment(marker: bytes, content: bytes) -> bytes:
    return b"\xff" + marker + struct.pack(">H", len(content) + 2) + content


START = (
    b"\xff\xd8" + segment(APP[0], b"JFIF") + segment(COM, b"first") + b"\xff" + segment(COM, b"") + segment(DQT, b"q")
)


def found_in(jpeg: bytes) -> list[tuple[bytes, bytes]]:
    return [(part.kind, part.read()) for part in walk_segments(io.BytesIO(jpeg))]


def test_segments_are_walked_up_to_the_samples() -> None:
    expected = [(APP[0], b"JFIF"), (COM, b"first"), (COM, b""), (DQT, b"q")]
    assert found_in(START + segment(b"\xda", b"scan") + segment(COM, b"behind")) == expected
    assert found_in(START + b"no marker") == expected
    file = io.BytesIO(START)
    assert list(contents(file, COM)) == [b"first", b""]
    assert [part.end for part in walk_segments(file)] == [10, 19, 24, 29]
    assert [part.read(2) for part in walk_segments(file)] == [b"JF", b"fi", b"", b"q"]


def test_of_a_cut_file_the_last_segment_may_be_shorter() -> None:
    whole = found_in(START)
    for length in range(len(START)):
        *others, (kind, content) = found_in(START[:length]) or [(b"", b"")]
        assert others == whole[: len(others)]
        assert not kind or (kind == whole[len(others)][0] and whole[len(others)][1].startswith(content))


@pytest.mark.parametrize(
    ("length", "content"), [(0, b""), (1, b""), (2, b""), (3, b"\xff"), (65_535, b"\xff\xfe\0\3x")]
)
def test_a_segment_of_an_impossible_length_ends_the_walk_or_is_empty(length: int, content: bytes) -> None:
    damaged = b"\xff\xd8\xff\xfe" + struct.pack(">H", length) + segment(COM, b"x")
    behind = [(COM, b"x")] if length <= 2 else []
    assert found_in(damaged) == [(COM, content), *behind]


@given(
    noise=st.lists(st.sampled_from([b"\xff", b"\xe1", b"\xfe", b"\xdb", b"\0", b"\2", b"Exif\0\0", b"x"])).map(b"".join)
)
def test_any_walk_comes_to_an_end(noise: bytes) -> None:
    file = io.BytesIO(b"\xff\xd8" + noise)
    ends = [part.end for part in walk_segments(file)]
    assert ends == sorted(set(ends))
    read_exif(file), read_quantisation(file, 0), has_jumbf(file)


class Counting(io.BytesIO):
    """A file that counts how often it is read, and how much."""

    times = total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.times, self.total = self.times + 1, self.total + len(content)
        return content


@pytest.mark.parametrize("filling", [1, 2, 3, READ_BYTES - 2, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 1_000_000])
@pytest.mark.parametrize("behind", [segment(COM, b"x") + segment(b"\xda", b"scan"), b""])
def test_filling_of_any_length_is_passed_in_few_steps(filling: int, behind: bytes) -> None:
    file = Counting(b"\xff\xd8" + segment(DQT, b"q") + b"\xff" * filling + behind)
    parts = list(walk_segments(file))
    assert file.times < 10 + filling / 500
    assert file.total < 3 * READ_BYTES + filling
    assert [(part.kind, part.read()) for part in parts] == [(DQT, b"q"), (COM, b"x")][: 2 if behind else 1]


def test_exif_in_parts_is_joined_and_empty_ones_begin_nothing() -> None:
    empty, other = segment(APP[1], b"Exif\0\0"), segment(APP[1], b"other")
    parts = [segment(APP[1], b"Exif\0\0" + part) for part in (b"II*\0one", b"two", b"three")]
    jpeg = b"\xff\xd8" + empty + other + b"".join(parts) + empty + other + parts[1]
    assert read_exif(io.BytesIO(jpeg)) == b"II*\0onetwothree"
    assert read_exif(io.BytesIO(b"\xff\xd8" + empty)) is None


@pytest.mark.timeout(100)
def test_exif_in_very_many_parts_is_joined() -> None:
    part = b"p" * 100
    assert read_exif(io.BytesIO(b"\xff\xd8" + segment(APP[1], b"Exif\0\0" + part) * 200_000)) == part * 200_000
