"""Databases that several runs share."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from restore_cli.batch.database import open_database, transaction

TABLE = "CREATE TABLE IF NOT EXISTS things (name TEXT)"


def test_a_transaction_that_fails_leaves_nothing_and_lets_others_in(tmp_path: Path) -> None:
    file = tmp_path / "things.db"
    with closing(open_database(file, TABLE, 1)) as one, closing(open_database(file, TABLE, 1)) as other:
        with suppress(ZeroDivisionError), transaction(one):
            one.execute("INSERT INTO things VALUES ('lost')")
            raise ZeroDivisionError
        for database, name in ((other, "theirs"), (one, "ours")):
            with transaction(database):
                database.execute("INSERT INTO things VALUES (?)", (name,))
        assert one.execute("SELECT name FROM things").fetchall() == [("theirs",), ("ours",)]
