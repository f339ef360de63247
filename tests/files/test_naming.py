from __future__ import annotations

from pathlib import Path

import pytest

from restore_cli.files.naming import shown


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
