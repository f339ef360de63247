"""What became of every picture of a batch, in a file that outlives the run: an SQLite database with one table.

It is written after each picture, so a run that is killed loses nothing that was done. Several runs may share one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from restore_cli.batch import Outcome, failure, name_of_source
from restore_cli.errors import RestoreError, UsageError
from restore_cli.planning import Job

VERSION = 1
"""Of the table; a file of another version is refused."""
PATIENCE = 60
"""Seconds to wait for another run that is writing."""
RECENT = 200
"""Pictures by whose ends the speed of a batch is judged."""
Stamp = tuple[int, int]
"""Bytes of a file, and when it was last changed, in nanoseconds since 1970."""
TABLE = """
CREATE TABLE IF NOT EXISTS pictures (
    source BLOB PRIMARY KEY,  -- absolute path, as the bytes that the system knows it by
    target BLOB,
    status TEXT NOT NULL,     -- left, done, skipped, failed
    reason TEXT,              -- why it was skipped or failed
    settings TEXT,            -- JSON: all that decides the result besides the picture
    size INTEGER,             -- of the source: bytes,
    modified INTEGER,         -- nanoseconds since 1970,
    hash TEXT,                -- and sha256
    pixels INTEGER,           -- of the source
    seconds REAL,             -- to read, restore and write it
    ended REAL                -- seconds since 1970
)"""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The jobs of a run, sorted by what a manifest says of them."""

    left: tuple[Job, ...]
    """To be done; those that were done otherwise before replace their result."""
    known: tuple[Outcome, ...]
    """Of pictures that need not be tried."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is."""

    done: int
    skipped: int
    failed: int
    left: int
    pictures_per_second: float | None
    """Over the last pictures; None where too few are done."""
    failures: tuple[tuple[str, str], ...]
    """Names of pictures that failed, and why."""

    @property
    def seconds_to_go(self) -> float | None:
        """How long what is left will take at this speed; None where that is not known."""
        return self.left / self.pictures_per_second if self.pictures_per_second else None


class Manifest:
    """A database that is open."""

    def __init__(self, path: Path, settings: Mapping[str, Any] | None = None) -> None:
        """Open the manifest at `path`, which is made if need be.

        `settings` decide a picture's result: where they differ from what is recorded, it is done again.

        Raises:
            UsageError: it cannot be opened, or is no manifest.
        """
        self.path = path
        self.settings = json.dumps(settings or {}, sort_keys=True)
        self._stamps: dict[Job, Stamp | None] = {}
        """Of the sources of jobs that are left, as they were when the jobs were sorted."""
        with self._explained(), ExitStack() as opened:
            self._database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            opened.callback(self._database.close)
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version != VERSION:  # only then is it written to: another run may be at it
                self._set_up()
            opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def _set_up(self) -> None:
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            raise UsageError(f"{self.path} is no manifest of this version", "name a new file with --manifest")
        self._database.execute(TABLE)
        self._database.execute(f"PRAGMA user_version = {VERSION}")

    def sort(self, jobs: Iterable[Job], *, retry_failed: bool) -> Sorted:
        """Tell jobs that are left to do from pictures whose outcome is known, and note all of them.

        Known are pictures that were done with these settings from the same input, and whose result is there; and those
        that failed so, unless `retry_failed`.
        """
        left: list[Job] = []
        known: list[Outcome] = []
        for job in jobs:
            outcome, job = self.judge(job, retry_failed=retry_failed)
            if outcome is not None:
                known.append(outcome)
                continue
            left.append(job)
            if job.source is not None:
                self._stamps[job] = _stamp(job.source)
        rows = [(_key(job.source), job.target and _key(job.target)) for job in left if job.source is not None]
        with self._explained():  # at once, since other runs wait meanwhile
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(  # of one that is done again, what it was done with stays
                "INSERT INTO pictures (source, target, status) VALUES (?, ?, 'left') "
                "ON CONFLICT (source) DO UPDATE SET status = 'left'",
                rows,
            )
            self._database.execute("COMMIT")
        return Sorted(tuple(left), tuple(known))

    def record(self, job: Job, outcome: Outcome) -> None:
        """Write down what became of a job; one of standard input has no name to be found by.

        The source is written down as it was before it was read: where it has changed since, it is to be done again.
        """
        if job.source is None:
            return
        now = _stamp(job.source)
        stamp = self._stamps.pop(replace(job, contested=False), now)
        size, modified = stamp or (None, None)
        width, height = outcome.input_size or (0, 0)
        with self._explained():
            self._database.execute(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    _key(job.source),
                    job.target and _key(job.target),
                    outcome.status,
                    outcome.reason or None,
                    self.settings,
                    size,
                    modified,
                    hash_file(job.source) if stamp == now else None,
                    width * height,
                    outcome.seconds.total,
                    time.time(),
                ),
            )

    def status(self) -> BatchStatus:
        """Count, and judge the speed by the last pictures that were done."""
        with self._explained():
            counts = dict(self._database.execute("SELECT status, count(*) FROM pictures GROUP BY status"))
            ends = self._database.execute(
                "SELECT ended FROM pictures WHERE status = 'done' ORDER BY ended DESC LIMIT ?", (RECENT,)
            ).fetchall()
            failures = self._database.execute(
                "SELECT source, reason FROM pictures WHERE status = 'failed' ORDER BY source"
            ).fetchall()
        span = ends[0][0] - ends[-1][0] if ends else 0.0
        return BatchStatus(
            done=counts.get("done", 0),
            skipped=counts.get("skipped", 0),
            failed=counts.get("failed", 0),
            left=counts.get("left", 0),
            pictures_per_second=(len(ends) - 1) / span if span > 0 else None,
            failures=tuple((os.fsdecode(source), reason or "") for source, reason in failures),
        )

    def judge(self, job: Job, *, retry_failed: bool) -> tuple[Outcome | None, Job]:
        """Return the outcome of a job that need not be tried, or None and the job as it is to be done."""
        row = None
        if job.source is not None:
            with self._explained():
                row = self._database.execute(
                    "SELECT status, reason, settings, size, modified, hash FROM pictures WHERE source = ?",
                    (_key(job.source),),
                ).fetchone()
        if row is None or job.source is None:
            return None, job
        status, reason, settings, size, modified, hash = row
        if status == "skipped" or settings is None:
            return None, job
        if settings != self.settings or not _is_unchanged(job.source, size, modified, hash):
            return None, replace(job, replaces=True)
        if status == "left":  # it was to be done again, and was not
            return None, job
        if status == "failed":
            error = RestoreError(f"it failed before: {reason}", "--retry-failed tries it again")
            return (None, job) if retry_failed else (failure(job, error), job)
        if job.target is not None and not os.path.exists(job.target):
            return None, job
        why = "it was done with these settings before"
        return Outcome(name_of_source(job), str(job.target) if job.target else None, "skipped", why), job

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the database into one that names the file."""
        try:
            yield
        except sqlite3.Error as error:
            raise UsageError(f"cannot use the manifest {self.path}: {error}", "name another file") from error


def read_status(path: Path) -> BatchStatus:
    """Return how far the batch is whose manifest lies at `path`.

    Raises:
        UsageError: there is none.
    """
    if not os.path.isfile(path):
        raise UsageError(f"there is no manifest {path}", "it is the file that --manifest named")
    with Manifest(path) as manifest:
        return manifest.status()


def hash_file(path: Path) -> str | None:
    """Return the sha256 of a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _key(path: Path) -> bytes:
    return os.fsencode(os.path.abspath(path))


def _stamp(path: Path) -> Stamp | None:
    try:
        stat = path.stat()
    except OSError:  # it is gone
        return None
    return stat.st_size, stat.st_mtime_ns


def _is_unchanged(path: Path, size: int | None, modified: int | None, hash: str | None) -> bool:
    """Tell whether a file is what it was; its content counts where only its time differs."""
    now = _stamp(path)
    return now is not None and (
        now == (size, modified) or (now[0] == size and hash is not None and hash_file(path) == hash)
    )
