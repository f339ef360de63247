"""Jobs one after the other, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from restore_cli.batch.claims import WaitingNote
from restore_cli.batch.outcome import CONTESTED_PAUSE, Outcome
from restore_cli.batch.planning import Job
from restore_cli.batch.worker import Worker
from restore_cli.errors import ClaimedError
from restore_cli.telling import Progress


def run_in_turn(
    jobs: Iterable[Job], worker: Worker, progress: Progress, stop: Callable[[], bool]
) -> Iterator[tuple[Job, Outcome]]:
    """Carry out jobs and yield each outcome as soon as it is known.

    A picture that another run has in hand is waited for; of the first this is told.

    Raises:
        BrokenPipeError: nobody reads standard output any more.
        Exception: it went wrong with a picture, where the worker is to debug.
    """
    note_waiting = WaitingNote(worker.tell)
    try:
        for job in jobs:
            outcome = None
            while outcome is None and not stop():
                try:
                    outcome = worker(job, progress)
                except ClaimedError:
                    note_waiting(job.target, again=job.contested)
                    job = replace(job, contested=True)
                    time.sleep(CONTESTED_PAUSE)
                except BrokenPipeError:
                    raise
                except Exception as error:
                    if worker.config.debug:
                        raise
                    outcome = worker.failed(job, error)
            if outcome is None:
                break
            yield job, outcome
    finally:
        worker.clean_up()
