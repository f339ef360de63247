"""What became of each picture of a batch, as plain data."""

from __future__ import annotations

import os
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from restore_cli.batch.planning import Job
from restore_cli.batch.sources import STANDARD_STREAM, Refusal
from restore_cli.errors import NO_THREADS, NO_THREADS_HINT, DeviceError, FullDiskError, RestoreError

Status = Literal["planned", "done", "skipped", "failed"]
"""Nothing is planned but in a dry run."""
CONTESTED_PAUSE = 0.5
"""Seconds until a picture is tried again that another run has in hand."""
CLOCK_TOLERANCE = 2.0
"""Seconds by which the times of files may be off."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Where the time of one picture went."""

    read: float = 0.0
    run: float = 0.0
    write: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.read + self.run + self.write


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
    compression: str | None = None
    """How the input was compressed, where it gave up detail."""
    scale: float | None = None
    input_size: tuple[int, int] | None = None
    """Width and height."""
    output_size: tuple[int, int] | None = None
    """Width and height."""
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


def done(job: Job, before: tuple[int, int], after: tuple[int, int], **known: Any) -> Outcome:
    """Return the outcome of a job whose result is written; `known` fields are added.

    `before` and `after` are height and width of the picture and of its result.
    """
    (height, width), (rows, columns) = before, after
    return Outcome(
        name_of_source(job),
        _name_of_target(job) or STANDARD_STREAM,
        "done",
        scale=round(columns / width, 4),
        input_size=(width, height),
        output_size=(columns, rows),
        **known,
    )


def planned(job: Job, before: tuple[int, int] | None, after: tuple[int, int] | None, reason: str = "") -> Outcome:
    """Return what a dry run tells of a job that would be done, copied for a `reason` or else restored.

    The sizes are those of `done`, None where they are not known.
    """
    if before is None or after is None:
        return Outcome(name_of_source(job), _name_of_target(job) or STANDARD_STREAM, "planned", reason)
    return replace(done(job, before, after), status="planned", reason=reason)


def skipped(job: Job, reason: str, hint: str = "") -> Outcome:
    """Return the outcome of a job that is not done, for a `reason`."""
    return Outcome(name_of_source(job), _name_of_target(job), "skipped", reason, hint)


def skipped_if_there(job: Job, *, overwrite: bool, began: float) -> Outcome | None:
    """Return the outcome of a job whose target is there already; None if it is to be done.

    `began` is when the run started, in seconds since 1970.
    """
    target = job.target
    if target is None:
        return None
    try:
        modified = os.stat(target).st_mtime
    except OSError:  # there is none, or none can have this name
        if overwrite or job.replaces or not os.path.islink(target):
            return None
        return skipped(job, "its target is a link that leads nowhere (--overwrite makes what it leads to)")
    if job.contested and modified >= began - CLOCK_TOLERANCE:
        return skipped(job, "another run has just made it")
    if overwrite or job.replaces:
        return None
    return skipped(job, "its target exists (--overwrite replaces it)")


def left_alone(job: Job, height: int, width: int, *, is_copied: bool = False) -> Outcome:
    """Return the outcome of a job whose picture need not be made larger; one that was copied has a result."""
    if is_copied and job.target is not None:
        size = height, width
        return done(job, size, size, notes=("it is large enough already, and was copied",))
    handed_on = "" if job.target else ", and is handed on as it is"
    reason = f"it is large enough already ({width}x{height}){handed_on}"
    return Outcome(name_of_source(job), None, "skipped", reason, input_size=(width, height))


def passed_by(result: Path) -> Outcome:
    """Return the outcome of a file that is taken for the result of another picture."""
    return Outcome(str(result), None, "skipped", "it is where the result of another picture goes; name it alone if not")


def as_restore_error(error: Exception) -> RestoreError:
    """Return what to tell of an error that a picture met, whatever it is."""
    if isinstance(error, RestoreError):
        return error
    if isinstance(error, MemoryError):
        return DeviceError("out of host memory", "close other programs, or ask for a smaller result")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return DeviceError(NO_THREADS, NO_THREADS_HINT)
    return RestoreError(f"internal error: {type(error).__name__}: {error}", "see it with --debug")


def print_traceback(error: Exception) -> None:
    """Print where an error arose, as `--debug` asks for it, on standard error."""
    with suppress(OSError):  # nobody reads it
        traceback.print_exception(error)


def failure(job: Job, error: RestoreError, **known: Any) -> Outcome:
    """Return the outcome of a job that `error` ended; `known` fields are added."""
    return Outcome(
        name_of_source(job),
        _name_of_target(job),
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
    return str(job.source) if job.source is not None else STANDARD_STREAM


def _name_of_target(job: Job) -> str | None:
    return str(job.target) if job.target is not None else None


class Stopwatch:
    """Measures consecutive stretches of time."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap, or since the start."""
        now = time.perf_counter()
        since, self._since = self._since, now
        return now - since
