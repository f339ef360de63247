"""Databases that several runs share."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

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
