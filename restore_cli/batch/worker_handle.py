"""A worker's process, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, Self

from restore_cli.batch.planning import Job
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.batch.worker_process import Finish, holding_signals, serve
from restore_cli.errors import RestoreError


@dataclass(slots=True)
class InHand:
    """How it stands with a job that a worker was given."""

    since: float
    """When it was given, in seconds since 1970."""
    share: float = 0.0
    """How much of it is done."""


@dataclass(eq=False, slots=True)
class WorkerHandle:
    """The process, the line to it, and what it has to do."""

    config: WorkerConfig
    process: BaseProcess
    connection: Connection[Any, Any]
    in_hand: dict[Job, InHand] = field(default_factory=dict)
    """Jobs that it was given and has not settled."""
    wants_job: bool = False
    has_begun: bool = False
    has_suspect: bool = False
    """Whether it has in hand one of the pictures that another died of; then it has no other."""
    dismissal: Finish | None = None
    """How it was told that there is no more."""

    @classmethod
    def begin(cls, config: WorkerConfig, context: SpawnContext) -> Self:
        """Begin the process of a worker.

        Raises:
            RestoreError: the system has no process or no line for it.
        """
        try:
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, config), daemon=True)
            with holding_signals():
                process.start()
        except OSError as error:
            raise RestoreError(
                f"a worker cannot be started: {error.strerror or error}", "give fewer --workers"
            ) from error
        theirs.close()
        return cls(config, process, ours)

    def give(self, job: Job) -> None:
        """Give it one more job."""
        self.wants_job = False
        self.in_hand[job] = InHand(since=time.time())
        self._send(job)

    def dismiss(self, message: Finish) -> None:
        """Tell it that there is no more, and what to abandon: once, and once more where that comes to be more."""
        if self.dismissal is None or (message.abandons and not self.dismissal.abandons):
            self.dismissal = message
            self.wants_job = False
            self._send(message)

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # it died; its end of the line tells so, too
            self.connection.send(message)
