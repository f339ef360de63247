"""What goes on in a worker's process, and what it and its supervisor tell each other."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from restore_cli.batch.outcome import Outcome, as_restore_error, print_traceback
from restore_cli.batch.planning import Job
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.errors import RestoreError
from restore_cli.importing import without_collections

if TYPE_CHECKING:
    from restore_cli.batch.pipeline import Pipeline

ENDING_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)  # the last on Windows alone, the one before it elsewhere
)
"""Signals by which a user, a terminal that closes or the system ends a run."""
PROGRESS_PAUSE = 0.1
"""Seconds between two tellings of how far a picture is."""
CAN_HOLD = hasattr(signal, "pthread_sigmask")
"""Whether signals can be held back, as on all systems but Windows."""


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker is ready."""

    on_host: bool
    """Whether its network runs on the processor."""


@dataclass(frozen=True, slots=True)
class JobWanted:
    """The worker can read one more picture."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """A picture went on."""

    job: Job
    share: float


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has an outcome."""

    job: Job
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class JobContested:
    """Another run has a picture in hand."""

    job: Job


@dataclass(frozen=True, slots=True)
class Notice:
    """The user should know something."""

    text: str


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """No picture can be restored."""

    error: RestoreError


@dataclass(frozen=True, slots=True)
class Finish:
    """There are no more jobs."""

    abandons: bool
    """Whether pictures that have not reached the network are left undone."""


def serve(connection: Connection[Any, Any], config: WorkerConfig) -> None:
    """Carry out the jobs that come through `connection` until there are no more, or the supervisor is gone.

    Signals that end a run are the supervisor's affair.
    """
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if CAN_HOLD:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    supervisor = SupervisorLink(connection)
    try:
        with without_collections():
            from restore_cli.batch.pipeline import Pipeline
            from restore_cli.batch.worker import Worker

        worker = Worker(config, lambda text: supervisor.send(Notice(text)))
        supervisor.send(WorkerReady(on_host=worker.task.device == "cpu"))
        pipeline = Pipeline(worker, supervisor)
        threading.Thread(target=supervisor.listen, args=(pipeline,), daemon=True).start()
        pipeline.run(supervisor.jobs())
    except Exception as error:
        if config.debug:
            print_traceback(error)
        supervisor.send(WorkerFailed(as_restore_error(error)))


@contextmanager
def holding_signals() -> Iterator[None]:
    """Hold signals that end a run back while the context lasts; a process that is started in it holds them by birth.

    So none reaches a worker that has not come to `serve` yet. What looks after memory that processes share is begun
    before, since it lets go of signals.
    """
    held = set[signal.Signals | int]()
    if CAN_HOLD:
        resource_tracker.ensure_running()
        held = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        if CAN_HOLD:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)


class SupervisorLink:
    """The worker's end of the line."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._told = 0.0

    def send(self, message: object) -> None:
        """Tell the supervisor something. A worker without one ends at once."""
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:
            os._exit(1)

    def listen(self, pipeline: Pipeline) -> None:
        """Take jobs in until there are no more, and what is to be abandoned, even after that.

        A worker without a supervisor ends at once.
        """
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            if isinstance(message, Finish):
                if message.abandons:
                    pipeline.abandon()
                message = None
            self._jobs.put(message)

    def jobs(self) -> Iterator[Job]:
        """Ask for one job after the other."""
        while True:
            self.send(JobWanted())
            job = self._jobs.get()
            if job is None:
                return
            yield job

    def progress(self, job: Job, share: float) -> None:
        """Tell how far a picture is, but not more often than anybody could read."""
        now = time.monotonic()
        if now - self._told > PROGRESS_PAUSE:
            self._told = now
            self.send(JobProgress(job, share))

    def outcome(self, job: Job, outcome: Outcome) -> None:
        """Tell what became of a job."""
        self.send(JobEnded(job, outcome))

    def contested(self, job: Job) -> None:
        """Tell that another run has a picture in hand."""
        self.send(JobContested(job))
