"""Jobs one after the other, until all are done, too many have failed, or the user has had enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from restore_cli.batch.planning import Job
from restore_cli.cli.interruption import interruption
from restore_cli.cli.ledger import Ledger
from restore_cli.cli.request import Request
from restore_cli.cli.tasks import Load
from restore_cli.cli.worker_pool import WorkerPool
from restore_cli.errors import RestoreError


def run_jobs(
    jobs: Sequence[Job], later: Iterator[Job | None] | None, load_task: Load, request: Request, ledger: Ledger
) -> bool:
    """Note the outcome of every job, until too many failed; return whether the run was interrupted.

    `later` yields jobs that come while it runs, and None while none comes.

    Raises:
        RestoreError, OSError: what ends the run before any picture has an outcome; later the ledger tells of it.
    """
    try:
        return _note_outcomes(jobs, later, load_task, request, ledger)
    except KeyboardInterrupt:
        return True
    except OSError as error:
        if error.filename is not None or not ledger.totals.pictures:
            raise
        request.display.give_up_standard_output()
        ledger.fail(RestoreError(_describe_lost_output(error)), "the others were not begun")
    except RestoreError as error:
        if request.report.debug or not ledger.totals.pictures:  # there is nothing else to tell
            raise
        ledger.fail(error, "the others cannot be restored")
    return False


def _note_outcomes(
    jobs: Sequence[Job], later: Iterator[Job | None] | None, load_task: Load, request: Request, ledger: Ledger
) -> bool:
    display = request.display
    ledger.undone = len(jobs)
    with display.progress(len(jobs) if later is None else None) as progress:
        pool = WorkerPool(request, load_task, progress.part)
        with interruption(lambda: pool.is_idle) as interrupted:
            tell_of_end = cache(lambda: display.note("finishing what is in hand; Ctrl-C once more stops at once"))

            def stop() -> bool:
                if interrupted():
                    tell_of_end()
                return interrupted() or ledger.is_closed

            for job, outcome in pool.work(jobs, later and _left_to_do(later, ledger), stop):
                if ledger.is_closed and outcome.status == "failed":
                    continue  # it was read ahead, and is left to another run
                ledger.undone -= 1
                progress.picture_done()
                ledger.note(outcome, job)
            if ledger.is_closed and ledger.undone > 0:
                display.note(f"stopped: {ledger.why_closed}, {ledger.undone} left undone")
                ledger.undone = 0  # it is told
            return interrupted()


def _left_to_do(later: Iterator[Job | None], ledger: Ledger) -> Iterator[Job | None]:
    """Yield of jobs that come those that the manifest does not know, until no more can come."""
    try:
        for job in later:
            yield from ledger.sort([job]) if job is not None else (None,)
    except RestoreError as error:
        ledger.fail(error, "no others can come")


def _describe_lost_output(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return "nobody reads standard output any more"
    return f"cannot write standard output: {error.strerror}"
