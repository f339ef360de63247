"""Lists of names; what names stand for is tested with plans."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from restore_cli.errors import UsageError
from restore_cli.sources import read_list

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
    ],
)
def test_names_are_read_as_the_bytes_they_are(content: bytes, null: bool, names: list[bytes], tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(content)
    assert [os.fsencode(name) for name in read_list(str(file), null=null)] == names


def test_names_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.png\nb.png\n")))
    assert read_list("-") == ["a.png", "b.png"]


@pytest.mark.parametrize("name", ["nosuch", ".", "a\0b"])
def test_a_list_that_cannot_be_read_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot read the list"):
        read_list(name)
