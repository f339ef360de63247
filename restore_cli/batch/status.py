"""How far a batch is, by its manifest."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from restore_cli.batch.database import explained, open_database
from restore_cli.errors import UsageError

RECENT = 200
"""Pictures by whose ends the speed of a batch is judged."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is."""

    done: int
    skipped: int
    failed: int
    left: int
    pictures_per_second: float | None
    """Over the last pictures, without the time between two runs; None where too few are done."""
    failures: tuple[tuple[str, str], ...]
    """Names of pictures that failed, and why."""
    last_ended: float | None
    """When the last picture was done or failed, in seconds since 1970; None where none was."""

    @property
    def seconds_to_go(self) -> float | None:
        """How long what is left will take at this speed; None where that is not known."""
        return self.left / self.pictures_per_second if self.pictures_per_second else None


def read_status(path: Path) -> BatchStatus:
    """Count what the manifest at `path` says, and judge the speed by the last pictures that were done.

    From the end of one to that of the next there are no more seconds than the next one took, or nobody was at work.

    Raises:
        UsageError: there is none.
    """
    if not os.path.isfile(path):
        raise UsageError(f"there is no manifest {path}", "it is the file that --manifest named")
    with closing(open_database(path, is_read_only=True)) as database, explained(path):
        counts = dict(database.execute("SELECT status, count(*) FROM pictures GROUP BY status"))
        ends = database.execute(
            "SELECT ended, seconds FROM pictures WHERE status = 'done' AND ended IS NOT NULL "
            "ORDER BY ended DESC LIMIT ?",
            (RECENT,),
        ).fetchall()
        (last_ended,) = database.execute("SELECT max(ended) FROM pictures").fetchone()
        failures = database.execute(
            "SELECT source, reason FROM pictures WHERE status = 'failed' ORDER BY source"
        ).fetchall()
    span = sum(min(ended - before, seconds or 0.0) for (ended, seconds), (before, _) in pairwise(ends))
    return BatchStatus(
        done=counts.get("done", 0),
        skipped=counts.get("skipped", 0),
        failed=counts.get("failed", 0),
        left=counts.get("left", 0) + counts.get("again", 0),
        pictures_per_second=(len(ends) - 1) / span if span > 0 else None,
        failures=tuple((os.fsdecode(source), reason or "") for source, reason in failures),
        last_ended=last_ended,
    )
