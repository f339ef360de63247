"""What became of every picture of a batch, in a file that outlives the run: an SQLite database with one table.

It is written after each picture, so a run that is killed loses nothing that was done. Several runs may share one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from restore_cli.batch.database import explained, open_database, transaction
from restore_cli.batch.judging import ManifestRow, Verdict, hash_of, judge, key_of
from restore_cli.batch.outcome import Outcome
from restore_cli.batch.planning import Job
from restore_cli.batch.sources import Stamp, stamp_of

Names = tuple[bytes | None, bytes | None]
"""Of a job's source and target, as the table holds them."""


@dataclass(frozen=True, slots=True)
class SortedJobs:
    """The jobs of a run, sorted by what a manifest says of them."""

    left: tuple[Job, ...]
    """To be done; those that were done otherwise before replace their result."""
    known: tuple[Outcome, ...]
    """Of pictures that need not be tried."""


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
        self._database = open_database(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def sort(self, jobs: Iterable[Job], *, retry_failed: bool) -> SortedJobs:
        """Tell jobs that are left to do from pictures whose outcome is known, and note all of them.

        Known are pictures that were done with these settings from the same input, and whose result is there; and those
        that failed so, unless `retry_failed`.
        """
        left: list[Job] = []
        known: list[Outcome] = []
        again: list[Names] = []
        made: list[Names] = []
        begun: list[tuple[object, ...]] = []
        for planned in jobs:
            row = self._look_up(planned)
            outcome, job = judge(planned, row, self.settings, retry_failed=retry_failed)
            if outcome is not None:
                known.append(outcome)
                if row is not None and row.status in ("left", "again"):
                    made.append(_names(job))
                continue
            left.append(job)
            if job.source is None:
                continue
            self._stamps[job] = stamp_of(job.source)
            if job.replaces:
                again.append(_names(job))
            else:
                begun.append(self._as_begun(job))
        self._note(begun, again, made)
        return SortedJobs(tuple(left), tuple(known))

    def _as_begun(self, job: Job) -> tuple[object, ...]:
        """Return what is written down of a job that is left: its names, settings and stamp.

        Where there is a target already, it is somebody else's, and nothing is known of it.
        """
        if job.target is not None and os.path.lexists(job.target):
            return (*_names(job), None, None, None)
        return (*_names(job), self.settings, *(self._stamps[job] or (None, None)))

    def _note(self, begun: Iterable[tuple[object, ...]], again: Iterable[Names], made: Iterable[Names]) -> None:
        """Write down jobs that are left, those that replace what was done before, and those that are found done."""
        with explained(self.path), transaction(self._database):
            self._database.executemany(  # what another run has done since it was judged stays, too
                "INSERT INTO pictures (source, target, status, settings, size, modified) "
                "VALUES (?, ?, 'left', ?, ?, ?) "
                "ON CONFLICT (source) DO UPDATE SET target = excluded.target, status = 'left', "
                "settings = excluded.settings, size = excluded.size, modified = excluded.modified, hash = NULL "
                "WHERE pictures.status != 'done'",
                begun,
            )
            self._database.executemany(  # what it was done with stays
                "INSERT INTO pictures (source, target, status) VALUES (?, ?, 'again') "
                "ON CONFLICT (source) DO UPDATE SET status = 'again', target = excluded.target",
                again,
            )
            self._database.executemany(
                "INSERT INTO pictures (source, target, status) VALUES (?, ?, 'done') "
                "ON CONFLICT (source) DO UPDATE SET status = 'done'",
                made,
            )

    def record(self, job: Job, outcome: Outcome) -> None:
        """Write down what became of a job; one of standard input has no name to be found by.

        The source is written down as it was before it was read: where it has changed since, it is to be done again. One
        that its own result replaced is written down as it is now, and the target of a failure only if the result of
        before is there, since what else is there is not this program's.

        Raises:
            RestoreError: the disk is full, say, or another run does not let go of the manifest.
        """
        if job.source is None:
            return
        if outcome.status == "skipped" and self._was_made_by_another(job):
            self._note((), (), [_names(job)])
            return
        now = stamp_of(job.source)
        stamp = self._stamps.pop(replace(job, contested=False), now)
        source, target = _names(job)
        if outcome.status == "failed" and not job.replaces:
            target = None
        if outcome.status == "done" and target == source:
            stamp = now
        size, modified = stamp or (None, None)
        width, height = outcome.input_size or (0, 0)
        with explained(self.path):
            self._database.execute(
                "INSERT OR REPLACE INTO pictures "
                "(source, target, status, reason, settings, size, modified, hash, pixels, seconds, ended) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    source,
                    target,
                    outcome.status,
                    outcome.reason or None,
                    self.settings,
                    size,
                    modified,
                    hash_of(job.source) if stamp == now else None,
                    width * height,
                    outcome.seconds.total,
                    time.time(),
                ),
            )

    def _was_made_by_another(self, job: Job) -> bool:
        """Tell whether the result of a job that was skipped is that of another run with the same settings."""
        row = self._look_up(job)
        is_there = job.target is not None and os.path.exists(job.target)
        return (
            is_there
            and row is not None
            and row.target == _names(job)[1]
            and row.settings == self.settings
            and row.status in ("left", "done")
        )

    def judge(self, job: Job, *, retry_failed: bool) -> Verdict:
        """Judge a job by what is known of its picture."""
        return judge(job, self._look_up(job), self.settings, retry_failed=retry_failed)

    def _look_up(self, job: Job) -> ManifestRow | None:
        if job.source is None:
            return None
        with explained(self.path):
            found = self._database.execute(
                "SELECT target, status, reason, settings, size, modified, hash, ended FROM pictures WHERE source = ?",
                (key_of(job.source),),
            ).fetchone()
        return ManifestRow(*found) if found is not None else None


def _names(job: Job) -> Names:
    return key_of(job.source), key_of(job.target)
