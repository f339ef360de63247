"""Jobs in, outcomes out: read, restore, write; one bad picture never stops the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from restore_cli.errors import FullDiskError, RestoreError
from restore_cli.planning import Job
from restore_cli.sources import Refusal

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Seconds:
    """Where the time of one picture went."""

    read: float = 0.0
    run: float = 0.0
    write: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture; plain data."""

    source: str
    target: str | None
    status: Status
    reason: str = ""
    """Why it was skipped or failed."""
    hint: str = ""
    exit_code: int = 0
    model: str | None = None
    scale: float | None = None
    input_size: tuple[int, int] | None = None
    """Width and height."""
    output_size: tuple[int, int] | None = None
    device: str | None = None
    precision: str | None = None
    tile: int | None = None
    seconds: Seconds = field(default_factory=Seconds)
    notes: tuple[str, ...] = ()
    ends_run: bool = False
    """Whether no other picture can be done either."""

    def record(self) -> dict[str, Any]:
        """Return the outcome as it stands in `--json`."""
        fields = asdict(self)
        reason, hint = fields.pop("reason"), fields.pop("hint")
        del fields["exit_code"], fields["ends_run"]
        failed = self.status == "failed"
        fields["seconds"] = {name: round(value, 4) for name, value in fields["seconds"].items()}
        return fields | {
            "reason": None if failed else reason or None,
            "error": reason if failed else None,
            "hint": hint,
        }


Progress = Callable[[float], None]
Work = Callable[[Job, Progress], Outcome]
"""Restores one picture. It raises for nothing that concerns this picture alone."""


def run_jobs(jobs: Iterable[Job], work: Work, progress: Progress, *, debug: bool = False) -> Iterator[Outcome]:
    """Carry out jobs one after the other and yield each outcome as soon as it is known.

    An error that the worker did not foresee fails its picture alone; `debug` raises it instead.

    Raises:
        RestoreError: no picture can be restored, whichever it is.
        BrokenPipeError: nobody reads standard output any more.
    """
    for job in jobs:
        try:
            yield work(job, progress)
        except (RestoreError, BrokenPipeError):
            raise
        except Exception as error:
            if debug:
                raise
            yield failure(job, RestoreError(f"internal error: {type(error).__name__}: {error}", "see it with --debug"))


def failure(job: Job, error: RestoreError, **known: Any) -> Outcome:
    """Return the outcome of a job that `error` ended; `known` fields are added."""
    return Outcome(
        name_of_source(job),
        str(job.target) if job.target else None,
        "failed",
        error.message,
        error.hint,
        error.exit_code,
        ends_run=isinstance(error, FullDiskError),
        **known,
    )


def refused(refusal: Refusal) -> Outcome:
    """Return the outcome of something that could not become a job."""
    error = refusal.error
    return Outcome(refusal.name, None, "failed", error.message, error.hint, error.exit_code)


def name_of_source(job: Job) -> str:
    """Return what a user calls a job's source."""
    return str(job.source) if job.source is not None else "-"


def exit_code_of(outcomes: Iterable[Outcome]) -> int:
    """Return 0 if nothing failed, the failures' own code where they agree, else 1."""
    codes = {outcome.exit_code for outcome in outcomes if outcome.status == "failed"}
    if not codes:
        return 0
    return codes.pop() if len(codes) == 1 else 1


class Stopwatch:
    """Measures consecutive stretches of time."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap, or since the start."""
        now = time.perf_counter()
        since, self._since = self._since, now
        return now - since
