"""Databases that several runs share."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path

import pytest

from restore_cli.batch.database import open_database, transaction

INSERT = "INSERT INTO pictures (source, status) VALUES (?, 'left')"


def test_a_transaction_that_fails_leaves_nothing_and_lets_others_in(tmp_path: Path) -> None:
    file = tmp_path / "manifest.db"
    with closing(open_database(file)) as one, closing(open_database(file)) as other:
        with suppress(ZeroDivisionError), transaction(one):
            one.execute(INSERT, (b"lost",))
            raise ZeroDivisionError
        for database, name in ((other, b"theirs"), (one, b"ours")):
            with transaction(database):
                database.execute(INSERT, (name,))
        assert one.execute("SELECT source FROM pictures ORDER BY rowid").fetchall() == [(b"theirs",), (b"ours",)]


@pytest.mark.parametrize(
    "name", ["a?mode=ro#b%41 c+d.db", os.fsdecode(b"\xff.db"), r"\\nas\photos\batch.db", "file:C:"]
)
def test_a_database_may_have_any_name(name: str, tmp_path: Path) -> None:
    for is_read_only in (False, True):
        with closing(open_database(tmp_path / name, is_read_only=is_read_only)) as database:
            assert database.execute("SELECT * FROM pictures").fetchall() == []
        assert os.listdir(tmp_path) == [name]
