"""Workers in processes of their own, and who supervises them: a worker that dies takes no other picture with it.

The supervisor needs no torch. A worker asks for a job whenever it can read one more, so none has many waiting that
another could do. When a worker dies, all it had in hand is done again, each picture alone in a new worker; only
the picture that a worker dies of alone has failed.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait

from restore_cli.batch.backlog import Backlog
from restore_cli.batch.claims import WaitingNote
from restore_cli.batch.leftovers import remove_leftovers
from restore_cli.batch.outcome import CONTESTED_PAUSE, Outcome, failure
from restore_cli.batch.planning import Job
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.batch.worker_deaths import death_of, found_written
from restore_cli.batch.worker_handle import WorkerHandle
from restore_cli.batch.worker_process import (
    Finish,
    JobContested,
    JobEnded,
    JobProgress,
    JobWanted,
    Notice,
    WorkerFailed,
    WorkerReady,
)
from restore_cli.errors import AbsentDeviceError, RestoreError
from restore_cli.telling import Progress, Tell

POLL = 0.2
"""Seconds between two looks at what no worker tells: an interruption, new jobs."""
FEWEST_IN_HAND = 2
"""Pictures a worker may have in hand however few are left: one in the network, one read."""
MOST_COUNTED = 256
"""Pictures that are left, as far as it matters: of several workers each has no more in hand than its part of them."""
DEATHS_AT_BEGINNING = 3
"""So many workers may die before they want a job; then the last of them is done without."""


class Supervisor:
    """Hands jobs to workers and tells what became of them."""

    def __init__(
        self,
        configs: Sequence[WorkerConfig],
        more_on_host: Sequence[WorkerConfig] = (),
        *,
        tell: Tell,
        progress: Progress,
    ) -> None:
        """`configs` has one entry for each worker; those `more_on_host` work if the first runs on the processor.

        `progress` is called with the sum of the shares that are done of the pictures in hand.
        """
        self._configs = list(configs)
        self._more_on_host = list(more_on_host)
        self._tell = tell
        self._progress = progress
        self._workers: list[WorkerHandle] = []
        self._suspects: deque[Job] = deque()
        self._contested: deque[tuple[float, Job]] = deque()
        self._early_deaths = 0
        self._has_begun = False  # any of them
        self._noticed: set[str] = set()
        self._note_waiting = WaitingNote(tell)
        self._context = multiprocessing.get_context("spawn")

    def run(self, jobs: Iterable[Job | None], stop: Callable[[], bool]) -> Generator[tuple[Job, Outcome], None, None]:
        """Yield the outcome of each job as soon as it is known.

        `jobs` may yield None where there is none at the moment, but may be later. When `stop` says so, what is in the
        network or behind it is finished, and nothing else. If this iterator is closed before its end, the workers are
        killed; even so only whole files are left.

        Raises:
            RestoreError: the first worker cannot begin, none of them can any more, or one is for a device that is not
                there. A later one that cannot begin, on a card that another program has for example, is done without
                as long as there are others.
        """
        source = Backlog(jobs)
        try:
            while True:
                stopping = stop()
                source.ask_again()
                self._hand_out(source, stopping)
                if not self._workers and (stopping or self._has_nothing_left(source)):
                    return
                yield from self._listen()
        finally:
            self._kill()

    def _hand_out(self, source: Backlog, stopping: bool) -> None:
        """Give each worker that wants one a job; begin another worker where there is more to do."""
        if stopping:
            self._suspects.clear()
            for handle in self._workers:
                handle.dismiss(Finish(abandons=True))
            return
        workers = len(self._configs) + len(self._more_on_host)
        fair = max(FEWEST_IN_HAND, source.count(MOST_COUNTED) // workers)
        for handle in self._workers:
            if not handle.wants_job or (handle.has_suspect and handle.in_hand):
                continue
            if workers == 1 or len(handle.in_hand) < fair:
                self._give(handle, source)
        missing = [config for config in self._configs if all(handle.config is not config for handle in self._workers)]
        # One begins after the other: the first may have to fetch weights.
        is_ready = all(handle.has_begun for handle in self._workers)
        if missing and is_ready and (self._suspects or source.count() or self._next_contested_is_due()):
            try:
                self._workers.append(WorkerHandle.begin(missing[0], self._context))
            except RestoreError as error:
                self._do_without(missing[0], error)

    def _give(self, handle: WorkerHandle, source: Backlog) -> None:
        job, handle.has_suspect = None, False
        if self._suspects and not handle.in_hand:
            job, handle.has_suspect = self._suspects.popleft(), True
        elif (job := source.take()) is None and self._next_contested_is_due():
            job = self._contested.popleft()[1]
        if job is not None:
            if self._is_in_hand(job):  # a file that changed again meanwhile
                self._contested.append((time.monotonic() + CONTESTED_PAUSE, job))
                return
            handle.give(job)
        elif self._has_nothing_left(source):
            handle.dismiss(Finish(abandons=False))

    def _is_in_hand(self, job: Job) -> bool:
        """Tell whether a worker has the same picture in hand, maybe by another job."""
        return any(
            (job.source, job.target) == (other.source, other.target)
            for handle in self._workers
            for other in handle.in_hand
        )

    def _has_nothing_left(self, source: Backlog) -> bool:
        return not (source.count() or self._suspects or self._contested) and source.is_exhausted

    def _next_contested_is_due(self) -> bool:
        return bool(self._contested) and self._contested[0][0] <= time.monotonic()

    def _listen(self) -> Iterator[tuple[Job, Outcome]]:
        """Hear what workers tell, and yield outcomes."""
        if self._workers:
            wait([handle.connection for handle in self._workers], timeout=POLL)
        else:
            time.sleep(POLL)
        for handle in list(self._workers):
            yield from self._hear(handle)

    def _hear(self, handle: WorkerHandle) -> Iterator[tuple[Job, Outcome]]:
        """Take in all that a worker has told by now: with one message a round, many would have to wait for others.

        One that is dead and told nothing more is settled even if its line seems open, as on Windows, where the
        supervisor holds the worker's end until the worker takes it.
        """
        while True:
            was_alive = handle.process.is_alive()  # asked first: what a dead one told is all there
            try:
                if not handle.connection.poll():
                    if was_alive:
                        return
                    raise EOFError
                message = handle.connection.recv()
            except (EOFError, OSError):
                yield from self._settle_dead(handle)
                return
            yield from self._understand(handle, message)

    def _understand(self, handle: WorkerHandle, message: object) -> Iterator[tuple[Job, Outcome]]:
        """Take in what a worker told, and yield an outcome."""
        match message:
            case WorkerReady(on_host):
                handle.has_begun = self._has_begun = True
                self._early_deaths = 0
                if on_host:
                    self._configs += self._more_on_host
                self._more_on_host.clear()
            case JobWanted():
                handle.wants_job = True
            case JobProgress(job, share):
                handle.in_hand[job].share = share
                self._progress(sum(going.share for other in self._workers for going in other.in_hand.values()))
            case JobEnded(job, outcome):
                handle.in_hand.pop(job, None)
                yield job, outcome
            case JobContested(job):
                handle.in_hand.pop(job, None)
                self._note_waiting(job.target, again=job.contested)
                self._contested.append((time.monotonic() + CONTESTED_PAUSE, replace(job, contested=True)))
            case Notice(text):
                if text not in self._noticed:  # the same may hold for all of them
                    self._noticed.add(text)
                    self._tell(text)
            case WorkerFailed(error):
                if handle.has_begun or isinstance(error, AbsentDeviceError):
                    raise error
                self._do_without(handle.config, error)
                handle.dismiss(Finish(abandons=True))

    def _settle_dead(self, handle: WorkerHandle) -> Iterator[tuple[Job, Outcome]]:
        """Settle what a worker had in hand whose process ended."""
        self._part_with([handle])
        if handle.dismissal and (handle.process.exitcode == 0 or not handle.in_hand):
            return
        death = death_of(handle.process.exitcode or 0)
        if handle.in_hand and not handle.has_suspect:
            self._tell(f"{death.message}; what a worker had in hand is done again")
        for job, going in handle.in_hand.items():
            if outcome := found_written(job, going.since):
                yield job, outcome
            elif handle.has_suspect:
                yield job, failure(job, death)
            else:
                self._suspects.append(job)
        if not handle.has_suspect and not handle.has_begun:
            self._early_deaths += 1
            if self._early_deaths == DEATHS_AT_BEGINNING:
                self._do_without(handle.config, death)
                self._early_deaths = 0

    def _do_without(self, config: WorkerConfig, error: RestoreError) -> None:
        """Let the others go on without a worker that cannot begin; raise `error` where there are none."""
        others = [other for other in self._configs if other is not config]
        if not self._has_begun or not others:
            raise error
        self._tell(f"{error.message}; the other workers go on")
        self._configs = others

    def _kill(self) -> None:
        """End all workers at once."""
        for handle in self._workers:
            handle.process.kill()
        self._part_with(list(self._workers))

    def _part_with(self, handles: Sequence[WorkerHandle]) -> None:
        """Wait for the end of workers' processes, and remove what those left where results would have gone."""
        for handle in handles:
            handle.process.join()
            handle.connection.close()
            self._workers.remove(handle)
        in_hand = [job for handle in handles for job in handle.in_hand]
        for folder in {job.target.parent for job in in_hand if job.target is not None}:
            remove_leftovers(folder)
