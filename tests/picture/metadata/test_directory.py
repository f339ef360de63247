from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.picture.metadata.directory import MOST_ITEMS, read_directory, read_first_directory
from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.layout import LAYOUTS, LONG, RATIONAL, SHORT, UNDEFINED, Layout, Value

ASCII = 2

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
    assert read_directory(content, first, layout).values(layout) == tags
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
    assert directory.integers(0x110) == directory.integers(0x10F) == ()


@pytest.mark.parametrize("content", [b"", b"II", b"II*\0\x08", b"PNG\0\0\0\0\0", b"II+\0\x08\0\0\0"])
def test_a_block_without_a_header_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no TIFF header|cut"):
        read_first_directory(content)


each_layout = pytest.mark.parametrize("layout", LAYOUTS.values())


def tiff_of(layout: Layout) -> bytes:
    """Make a TIFF of two directories, the first with a text, numbers, and a pointer to tags of their own."""
    writer = DirectoryWriter(layout)
    second = writer.add({0x100: layout.integers(SHORT, 7)})
    below = writer.add_below({0x8827: layout.integers(SHORT, 100, 200, 300, 400, 500)})
    text = Value(ASCII, b"a text that is too long for its entry\0")
    return writer.with_header(writer.add({0x10E: text, 0x100: layout.integers(LONG, 60_000), 0x8769: below}, second))


@each_layout
def test_a_directory_knows_its_values_and_other_directories(layout: Layout) -> None:
    first = read_first_directory(tiff_of(layout))
    assert first.layout == layout
    assert (first.integer(0x100), first.integers(0x101), first.integer(0x10E)) == (60_000, (), None)
    assert first.data(0x101) == b""
    assert first.data(0x10E).startswith(b"a text")
    below, second = first.below(0x8769), first.at(first.next)
    assert below is not None
    assert below.integers(0x8827) == (100, 200, 300, 400, 500)
    assert second is not None
    assert (second.integer(0x100), second.next) == (7, 0)
    assert first.below(0x100) is None
    other = Layout(">" if layout.order == "<" else "<")
    assert first.values(other)[0x100] == other.integers(LONG, 60_000)


@each_layout
def test_a_cut_file_holds_nothing_else_than_the_whole_one(layout: Layout) -> None:
    content = tiff_of(layout)
    whole = read_first_directory(content).values(layout)
    for length in range(len(content)):
        try:
            first = read_first_directory(content[:length])
        except ValueError:
            continue
        assert first.values(layout).items() <= whole.items()


@each_layout
@pytest.mark.parametrize("count", [30, 2**16, 2**32 - 1])
def test_a_value_that_is_longer_than_the_file_is_left_out(count: int, layout: Layout) -> None:
    content = bytearray(tiff_of(layout))
    at = content.index(layout.entry.pack(0x8827, SHORT, 5))
    layout.entry.pack_into(content, at, 0x8827, RATIONAL, count)
    below = read_first_directory(content).below(0x8769)
    assert below is not None
    assert below.entries == {}


@each_layout
def test_a_directory_may_come_after_itself(layout: Layout) -> None:
    writer = DirectoryWriter(layout)
    content = writer.with_header(writer.add({0x8769: layout.integers(LONG, layout.header_bytes)}, layout.header_bytes))
    first = read_first_directory(content)
    assert first.next == first.offset
    assert first.at(first.next) == first.below(0x8769) == first


@settings(deadline=None)
@given(layout=st.builds(Layout, st.sampled_from("<>"), st.booleans()), noise=st.binary(max_size=200))
def test_entries_of_noise_lie_in_it(layout: Layout, noise: bytes) -> None:
    content = layout.header(layout.header_bytes) + noise
    try:
        first = read_first_directory(content)
    except ValueError:
        return
    assert all(len(first.data(tag)) == entry.size for tag, entry in first.entries.items())
    assert first.next < len(content)


class Watched(bytes):
    """Bytes that know the longest piece that was asked of them."""

    longest = 0

    def __getitem__(self, index: Any) -> Any:
        piece = super().__getitem__(index)
        self.longest = max(self.longest, len(piece))
        return piece


@each_layout
def test_of_a_long_value_no_more_is_read_than_is_wanted(layout: Layout) -> None:
    writer = DirectoryWriter(layout)
    numbers, pairs = layout.integers(LONG, *range(100_000)), layout.integers(LONG, *[1] * 100_000).data
    content = Watched(writer.with_header(writer.add({0x100: numbers, 0x11A: Value(RATIONAL, pairs)})))
    first = read_first_directory(content)
    assert (first.integer(0x100), first.integers(0x100, 3)) == (0, (0, 1, 2))
    assert first.rational(0x11A) is None
    assert first.rationals(0x11A, 2) == ()
    assert content.longest < 100
    assert len(first.integers(0x100)) == MOST_ITEMS


@each_layout
def test_values_together_are_no_longer_than_the_file(layout: Layout) -> None:
    writer = DirectoryWriter(layout)
    tags = {tag: Value(UNDEFINED, bytes([tag]) * 500) for tag in range(1, 100)}
    first = writer.add(tags | {0x100: layout.integers(SHORT, 7)})
    content = bytearray(writer.with_header(first))
    places = [entry.described_at + layout.entry.size for entry in read_first_directory(content).entries.values()]
    for at in places[:99]:
        layout.entry.pack_into(content, at - layout.entry.size, 1 + places.index(at), UNDEFINED, 20_000)
        layout.offset.pack_into(content, at, 0)
    directory = read_first_directory(content)
    assert sum(len(value.data) for value in directory.values(layout).values()) <= len(content)
    assert list(directory.entries) == [1, 2, 0x100]
    assert list(directory.values(layout, {0x100})) == [0x100]
