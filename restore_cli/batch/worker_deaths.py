"""What to tell of a worker that died: how, and what it had finished."""

from __future__ import annotations

import signal

from restore_cli.batch.outcome import Outcome, done
from restore_cli.batch.planning import Job
from restore_cli.errors import RestoreError


def found_written(job: Job, given: float) -> Outcome | None:
    """Return the outcome of a job whose result came after it was `given`, though nobody lived to tell, or None."""
    from restore_cli.picture.reading import measure_picture

    try:
        if job.source is None or job.target is None or job.target.stat().st_mtime < given:
            return None
        before, after = measure_picture(job.source), measure_picture(job.target)
    except (OSError, RestoreError):
        return None
    return done(job, before, after, notes=("its worker died when it had written the result",))


def death_of(exit_code: int) -> RestoreError:
    """Return the error that tells how a worker's process ended."""
    if exit_code >= 0:
        return RestoreError(f"its worker ended with code {exit_code}", "see the reason with --debug")
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    if -exit_code == getattr(signal, "SIGKILL", None):
        return RestoreError(
            f"its worker was killed ({name}), probably because memory ran out",
            "give --memory-limit or fewer --workers, and --retry-failed or the same command again",
        )
    return RestoreError(f"its worker crashed ({name})", "the file may be damaged; see whether another program opens it")
