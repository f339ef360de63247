from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.picture.metadata.directory import (
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
    with pytest.raises(ValueError, match=r"no TIFF header|cut"):
        read_header(content)
