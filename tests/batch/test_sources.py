"""Lists of names; what names stand for is tested with plans."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from restore_cli.batch.sources import find_sources, read_list
from restore_cli.errors import UsageError

ODD = b"\xff name \xf0\x9f\xa6\xa6.png"
"""Not UTF-8, and with spaces."""


@pytest.mark.parametrize(
    ("content", "null", "names"),
    [
        (b"", False, []),
        (b"a.png\nfolder/b c.jpg", False, [b"a.png", b"folder/b c.jpg"]),
        (b"a.png\r\n\r\n b.png \r\n", False, [b"a.png", b" b.png "]),
        (b"a.png\x00b\nc.png\x00", False, [b"a.png", b"b\nc.png"]),
        (b"b\nc.png", True, [b"b\nc.png"]),
        (ODD, False, [ODD]),
        (b"\xff\xfe.png\nb.png", False, [b"\xff\xfe.png", b"b.png"]),
        (b"\xff\xfe.png\0b.png\0", True, [b"\xff\xfe.png", b"b.png"]),
    ],
)
def test_names_are_read_as_the_bytes_they_are(content: bytes, null: bool, names: list[bytes], tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(content)
    assert [os.fsencode(name) for name in read_list(str(file), null=null)] == names


def test_names_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.png\nb.png\n")))
    assert read_list("-") == ["a.png", "b.png"]


def test_a_list_from_a_standard_input_that_is_closed_is_not_taken_for_an_empty_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "__stdin__", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        read_list("-")


@pytest.mark.parametrize("name", ["nosuch", ".", "a\0b"])
def test_a_list_that_cannot_be_read_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot read the list"):
        read_list(name)


def test_folders_give_all_that_is_read_and_count_what_is_known_and_is_not(tmp_path: Path) -> None:
    read = ["a.dib", "b.ICO", "c.pcx", "d.qoi", "e.tga"]
    for name in (*read, "f.exr", "g.hdr", "h.xcf", "i.txt"):
        (tmp_path / name).touch()
    found = find_sources([str(tmp_path)], recursive=True, output=None)
    assert [source.path.name for source in found.sources] == read
    assert [path.name for path in found.unread] == ["f.exr", "g.hdr", "h.xcf"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_in_folders_are_passed_over_and_dangling_links_are_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    found = find_sources([str(tmp_path)], recursive=True, output=None)
    assert [source.path.name for source in found.sources] == ["link.png"]
    assert found.passed_over == 1


def test_links_to_folders_are_counted_and_not_followed(tmp_path: Path) -> None:
    for name in ("photos", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "other")
    found = find_sources([str(tmp_path / "photos")], recursive=True, output=None)
    assert [source.path for source in found.sources] == [tmp_path / "photos" / "a.png"]
    assert found.passed_over == 1


def test_a_pipe_among_several_is_refused_and_alone_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "a.png").touch()
    names = [str(tmp_path / name) for name in ("pipe.png", "a.png")]
    found = find_sources(names, recursive=True, output=None)
    assert [source.path.name for source in found.sources] == ["a.png"]
    (refusal,) = found.refusals
    assert refusal.error.message == f"cannot read {names[0]}: it is no ordinary file"
    assert [source.path.name for source in find_sources(names[:1], recursive=True, output=None).sources] == ["pipe.png"]


def test_two_dots_behind_a_link_lead_out_of_what_it_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "sub")
    for name in ("q.png", "real/q.png"):
        Path(name).touch()
    found = find_sources(["link/../q.png", "q.png", "./q.png"], recursive=True, output=None)
    assert [os.path.realpath(source.path) for source in found.sources] == [
        str(tmp_path / name) for name in ("real/q.png", "q.png")
    ]


def test_names_in_a_list_are_no_globs(tmp_path: Path) -> None:
    (tmp_path / "photo1.png").touch()
    name = str(tmp_path / "photo[1].png")
    assert len(find_sources([name], recursive=True, output=None).sources) == 1
    found = find_sources([], [name], recursive=True, output=None)
    assert not found.sources
    assert [refusal.error.message for refusal in found.refusals] == [f"there is no file {name}"]


def test_what_is_refused_is_refused_once(tmp_path: Path) -> None:
    assert len(find_sources([str(tmp_path / "gone.png")] * 2, recursive=True, output=None).refusals) == 1


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.png").touch()
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_sources([str(tmp_path)], recursive=True, output=None)
    assert [source.path.name for source in found.sources] == ["a.png"]
    (refusal,) = found.refusals
    assert refusal.error.message == f"cannot read {tmp_path / 'locked'}: Permission denied"
    (refusal,) = find_sources([str(tmp_path / "locked")], recursive=True, output=None).refusals
    assert refusal.error.message.endswith("locked: Permission denied")


def test_a_file_that_may_not_be_looked_at_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("restore_cli.batch.sources.os.stat", refuse)
    monkeypatch.setattr("restore_cli.batch.sources.os.path.isdir", lambda path: False)
    (refusal,) = find_sources(["a.png"], recursive=True, output=None).refusals
    assert refusal.error.message == "cannot read a.png: Permission denied"


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfa.png\nb.png\n")
    assert read_list(str(tmp_path / "list")) == ["a.png", "b.png"]


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("end", ["\r\n", "\0"])
def test_a_list_of_utf_16_is_read_by_its_mark(order: str, end: str, tmp_path: Path) -> None:
    """As `dir | % Name > list` of PowerShell 5 writes it."""
    (tmp_path / "list").write_bytes(f"\ufeffcaf\u00e9 \u7530.png{end}b.png{end}".encode(f"utf-16-{order}"))
    assert read_list(str(tmp_path / "list")) == ["caf\u00e9 \u7530.png", "b.png"]


def test_a_list_of_utf_16_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("a.png\nb.png".encode("utf-16")[:-1])
    with pytest.raises(UsageError, match="list: its text is damaged or not UTF-8"):
        read_list(str(tmp_path / "list"))


def test_where_names_must_be_utf_8_others_are_refused_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode("utf-8", "surrogatepass"))  # as on Windows
    (tmp_path / "list").write_bytes("caf\u00e9.png".encode("cp850"))
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        read_list(str(tmp_path / "list"))
    assert "chcp 65001" in caught.value.hint
