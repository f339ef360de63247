"""Pictures on their way through a worker: some are read ahead while one is in the network, others are written behind.

The network runs in the thread that calls; a thread reads, and another writes. What is on its way is bounded in bytes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from restore_cli.batch.outcome import Outcome
from restore_cli.batch.planning import Job
from restore_cli.batch.stages import OpenedPicture, RestoredPicture
from restore_cli.batch.worker import Worker
from restore_cli.errors import ClaimedError

Stage = TypeVar("Stage", OpenedPicture, RestoredPicture)
MOST_AHEAD = 32
"""Pictures on their way at the most, however small they are."""


class Listener(Protocol):
    """Is told what becomes of jobs, from several threads."""

    def progress(self, job: Job, share: float) -> None:
        """Hear that `share` (0 to 1) of a picture has gone through the network."""

    def outcome(self, job: Job, outcome: Outcome) -> None:
        """Hear what became of a job."""

    def contested(self, job: Job) -> None:
        """Hear that another run has a picture in hand."""


class Pipeline:
    """Takes jobs from first to last."""

    def __init__(self, worker: Worker, listener: Listener) -> None:
        self._worker = worker
        self._listener = listener
        self._in_flight = ByteSemaphore(worker.config.in_flight)
        self._opened: SimpleQueue[OpenedPicture | None] = SimpleQueue()
        self._restored: SimpleQueue[RestoredPicture | None] = SimpleQueue()
        self._ahead: deque[OpenedPicture | None] = deque()
        """What was taken out of the queue and did not go with what came before it; one at the most."""
        self._is_abandoned = False
        self._error: Exception | None = None
        """What ended a thread beside the network: the run ends with it."""

    def run(self, jobs: Iterable[Job]) -> None:
        """Carry out all jobs; what goes wrong with a picture is its outcome.

        Raises:
            Exception: `jobs` or the listener raised it.
        """
        threads = [threading.Thread(target=work, daemon=True) for work in (lambda: self._read(jobs), self._write)]
        for thread in threads:
            thread.start()
        while group := self._next_group():
            if len(group) == 1 or not self._restore_together(group):
                for opened in group:
                    self._restore(opened)
        self._restored.put(None)
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        self._worker.clean_up()

    def abandon(self) -> None:
        """Leave undone what has not reached the network; the jobs must come to an end, too."""
        self._is_abandoned = True

    def _read(self, jobs: Iterable[Job]) -> None:
        try:
            for job in jobs:
                if self._error is not None:
                    break
                reservation = Reservation(self._in_flight)
                opened = self._settled(job, partial(self._worker.open, job, partial(self._reserve, reservation)))
                if opened is None:
                    reservation.release()
                else:
                    reservation.correct(opened.bytes)
                    opened.held.callback(reservation.release)
                    self._opened.put(opened)
        except Exception as error:
            self._fail(error)
        finally:
            self._opened.put(None)

    def _fail(self, error: Exception) -> None:
        """Let the run end with an error that is no picture's."""
        self._error = self._error or error
        self.abandon()

    def _reserve(self, reservation: Reservation, wanted: int) -> None:
        reservation.acquire(wanted)
        if self._is_abandoned:  # while it waited
            raise _AbandonedError

    def _next_group(self) -> list[OpenedPicture]:
        """Return pictures that are read already and go through the network together; an empty list at the end."""
        if not self._ahead:
            self._ahead.append(self._opened.get())
        first = self._ahead.popleft()
        if first is None:
            return []
        group, most = [first], self._worker.group_size(first.picture)
        with suppress(Empty):
            while len(group) < most:
                following = self._opened.get_nowait()
                if following is None or not following.goes_with(first):
                    self._ahead.append(following)
                    break
                group.append(following)
        return group

    def _restore_together(self, group: list[OpenedPicture]) -> bool:
        """Put pictures through the network in one go; return False where each must be tried alone."""
        if self._is_abandoned:
            return False
        try:
            results = self._worker.restore_group(group)
        except Exception:
            return False
        for opened, result in zip(group, results, strict=True):
            if isinstance(result, RestoredPicture):
                self._restored.put(result)
            else:
                opened.give_up()
                self._listener.outcome(opened.job, result)
        return True

    def _restore(self, opened: OpenedPicture) -> None:
        if self._is_abandoned:
            opened.give_up()
            return
        progress = partial(self._listener.progress, opened.job)
        restored = self._settled(opened.job, partial(self._worker.restore, opened, progress), opened)
        if restored is not None:
            self._restored.put(restored)

    def _write(self) -> None:
        while (restored := self._restored.get()) is not None:
            if self._error is not None:
                restored.opened.give_up()
                continue
            try:
                self._settled(restored.opened.job, partial(self._worker.finish, restored), restored.opened)
            except Exception as error:
                self._fail(error)

    def _settled(
        self, job: Job, stage: Callable[[], Stage | Outcome], opened: OpenedPicture | None = None
    ) -> Stage | None:
        """Return what a stage makes of a job; where that is its outcome, or an error, tell it and return None.

        `opened` is given up first: whoever hears of the outcome may at once have the picture done again elsewhere.
        """
        try:
            result = stage()
        except _AbandonedError:
            return None
        except ClaimedError:
            self._listener.contested(job)
            return None
        except Exception as error:
            result = self._worker.failed(job, error)
        if isinstance(result, Outcome):
            if opened is not None:
                opened.give_up()
            self._listener.outcome(job, result)
            return None
        return result


class _AbandonedError(Exception):
    """A picture need not be read any more."""


class ByteSemaphore:
    """Bounds the bytes that pictures take on their way."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._changed = threading.Condition()

    def acquire(self, wanted: int) -> None:
        """Wait until there is room; what wants more than there ever is waits until nothing else is on its way."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + wanted <= self.most)
            self._taken += wanted

    def acquire_at_once(self, more: int) -> None:
        """Count what is taken already, whether there is room for it or not."""
        with self._changed:
            self._taken += more

    def release(self, taken: int) -> None:
        """Make room again."""
        with self._changed:
            self._taken -= taken
            self._changed.notify_all()


class Reservation:
    """What one picture has acquired of a semaphore."""

    def __init__(self, semaphore: ByteSemaphore) -> None:
        self._semaphore = semaphore
        self._taken = 0

    def acquire(self, wanted: int) -> None:
        """Wait until there is room, for at least a fair part of what there is; once for a picture."""
        if self._taken:
            return
        wanted = max(wanted, self._semaphore.most // MOST_AHEAD)
        self._semaphore.acquire(wanted)
        self._taken += wanted

    def correct(self, needed: int) -> None:
        """Count what the picture turns out to need beyond what its header told."""
        more = max(0, needed - self._taken)
        self._semaphore.acquire_at_once(more)
        self._taken += more

    def release(self) -> None:
        """Give all of it back."""
        self._semaphore.release(self._taken)
        self._taken = 0
