"""The database of a manifest, which several runs may share: opened, made where there is none, its errors in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from restore_cli.errors import RestoreError, UsageError

PATIENCE = 60
"""Seconds to wait for another run that is writing."""
SIGNATURE = b"SQLite format 3\0"
"""What databases begin with."""
VERSION = 1
"""Of the table; a file of another version is refused."""
TABLE = """
CREATE TABLE IF NOT EXISTS pictures (
    source BLOB PRIMARY KEY,  -- absolute path, as the bytes that the system knows it by
    target BLOB,              -- of one that failed only if the result of before is there
    status TEXT NOT NULL,     -- left, again (left, to replace what was done before), done, skipped, failed
    reason TEXT,              -- why it was skipped or failed
    settings TEXT,            -- JSON: all that decides the result besides the picture; of one that is left and whose
                              -- target was not there, as it is planned: if the run is killed it tells whose that is
    size INTEGER,             -- of the source, as it was before it was read: bytes,
    modified INTEGER,         -- nanoseconds since 1970,
    hash TEXT,                -- and sha256
    pixels INTEGER,           -- of the source
    seconds REAL,             -- to read, restore and write it
    ended REAL                -- seconds since 1970
)"""


def open_database(path: Path, *, is_read_only: bool = False) -> sqlite3.Connection:
    """Open the database at `path`; one that is new gets its table, unless it `is_read_only`.

    Raises:
        UsageError: it cannot be opened, or is none of this version.
    """
    with explained(path, UsageError), ExitStack() as opened:
        if not is_read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        name = quote(os.fsencode(path.absolute()), safe="")  # as_uri() would give a server's name a place of its own
        place = f"file:{name}?mode={'ro' if is_read_only else 'rwc'}"
        database = sqlite3.connect(place, uri=True, timeout=PATIENCE, isolation_level=None)
        opened.callback(database.close)
        if _version_of(database) != VERSION:  # only then is it written to: another run may be at it
            if is_read_only or not _may_become_one(path):
                raise _is_other(path)
            with transaction(database):
                if _version_of(database) != VERSION and _holds_tables(database):
                    raise _is_other(path)
                database.execute(TABLE)
                database.execute(f"PRAGMA user_version = {VERSION}")
        opened.pop_all()
        return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Write all that is written inside, or where anything is raised nothing; others wait meanwhile."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path, kind: type[RestoreError] = RestoreError) -> Iterator[None]:
    """Turn errors of the database at `path` into one of a `kind` that names it."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise kind(f"cannot use the manifest {path}: {error}", "name another file") from error


def _version_of(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _holds_tables(database: sqlite3.Connection) -> bool:
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables)


def _may_become_one(path: Path) -> bool:
    """Tell whether a file is empty or a database: SQLite would write over a short one of another kind."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) in (b"", SIGNATURE)


def _is_other(path: Path) -> UsageError:
    return UsageError(f"{path} is no manifest of this version", "name a new file with --manifest")
