"""Who does the work of a batch: this process for a single picture, workers in processes of their own for several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain

from restore_cli.batch.outcome import Outcome, skipped_if_there
from restore_cli.batch.planning import Job
from restore_cli.batch.worker_config import IN_FLIGHT_BYTES, WorkerConfig
from restore_cli.cli.request import Request
from restore_cli.cli.tasks import Load
from restore_cli.container import processor_quota
from restore_cli.importing import without_collections
from restore_cli.memory import GIBIBYTE, MemoryBudget, free_host_memory
from restore_cli.telling import Progress

SHARE_IN_FLIGHT = 1 / 16
"""Of the memory limit, up to which pictures are read ahead and written behind."""
MOST_WORKERS = 8
BYTES_OF_WORKER = 3 * GIBIBYTE
"""What a worker must have to itself: the libraries, a network, and tiles of a good size."""
Results = Generator[tuple[Job, Outcome], None, None]


class WorkerPool:
    """Carries jobs out as the user asks for it."""

    def __init__(self, request: Request, load_task: Load, progress: Progress) -> None:
        self._request = request
        self._load_task = load_task
        self._progress = progress
        self._began = time.time()
        self.is_idle = False
        """Whether the only picture is still being read: to interrupt that loses nothing, and its end may never come."""

    def work(self, jobs: Sequence[Job], later: Iterator[Job | None] | None, stop: Callable[[], bool]) -> Results:
        """Yield the outcome of each job as soon as it is known, until `stop` says so.

        `later` yields jobs that come meanwhile, and None while none comes.

        Raises:
            RestoreError: no picture can be restored, whichever it is.
            BrokenPipeError: nobody reads standard output any more.
        """
        left, overwrite = [], self._request.files.overwrite
        for job in jobs:
            if stop():
                return
            outcome = skipped_if_there(job, overwrite=overwrite, began=self._began)
            if outcome is None:
                left.append(job)
            else:
                yield job, outcome
        if later is not None:
            yield from self._work_apart(chain(left, later), None, stop)
        elif len(left) > 1 and not self._request.report.debug:
            yield from self._work_apart(left, len(left), stop)
        elif left:
            yield from self._work_here(left, stop)

    def _work_here(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> Results:
        with without_collections():
            from restore_cli.batch.in_turn import run_in_turn
            from restore_cli.batch.worker import Worker

        (config,) = self._configs(1)
        self.is_idle = len(jobs) == 1
        worker = Worker(config, self._request.display.note)
        yield from run_in_turn(jobs, worker, self._go_on, stop)

    def _go_on(self, share: float) -> None:
        self.is_idle = False
        self._progress(share)

    def _work_apart(self, jobs: Iterable[Job | None], count: int | None, stop: Callable[[], bool]) -> Results:
        from restore_cli.batch.supervision import Supervisor

        configs = self._configs(count)
        certain = len(configs) if self._is_size_certain else 1
        supervisor = Supervisor(
            configs[:certain], configs[certain:], tell=self._request.display.note, progress=self._progress
        )
        yield from supervisor.run(jobs, stop)

    @property
    def _is_size_certain(self) -> bool:
        """Whether there are several workers wherever they run."""
        return bool(self._request.batch.workers or self._request.batch.devices)

    def _configs(self, pictures: int | None) -> list[WorkerConfig]:
        """Return what each worker is told; for no more workers than there are pictures, if that is known."""
        engine, wanted = self._request.engine, self._request.batch.workers
        devices = [name.strip() for name in (self._request.batch.devices or engine.device).split(",")]
        count = wanted or max(len(devices), self._workers_on_host())
        count = count if pictures is None else min(count, pictures)
        threads, limit = engine.threads, engine.memory_limit
        if count > 1:
            threads = threads or max(1, _processors() // count)
            limit = limit and limit // count
        files = self._request.files
        return [
            WorkerConfig(
                load_task=self._load_task,
                max_pixels=files.max_pixels,
                overwrite=files.overwrite,
                quality=files.quality,
                strip_metadata=files.strip_metadata,
                copy_rest=self._request.copy_rest,
                began=self._began,
                threads=threads,
                device=devices[index % len(devices)],
                memory=MemoryBudget(limit, count),
                alone_off_host=not self._is_size_certain,
                debug=self._request.report.debug,
                in_flight=int(SHARE_IN_FLIGHT * limit) if limit else IN_FLIGHT_BYTES,
            )
            for index in range(count)
        ]

    def _workers_on_host(self) -> int:
        """Return how many workers there are where they run on the processor and the user leaves it open.

        Threads of one network wait for each other wherever a picture that is read or written takes a core from one of
        them; workers do not, so there are as many as there is memory for.
        """
        engine, batch = self._request.engine, self._request.batch
        if batch.devices or engine.device not in ("auto", "cpu"):
            return 1
        if engine.threads is not None or engine.memory_limit is not None:  # meant for all of the work
            return 1
        return max(1, min(_processors(), MOST_WORKERS, free_host_memory() // BYTES_OF_WORKER))


def _processors() -> int:
    """Return how many processors this process may use, within a container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, processor_quota() or count)
