"""Pictures that come to watched folders, or change there, while a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from restore_cli.batch.planning import Job, Plan, Planner
from restore_cli.batch.sources import STANDARD_STREAM, Refusal
from restore_cli.batch.watching import FolderWatcher
from restore_cli.cli.request import Request
from restore_cli.errors import UsageError


class Arrivals:
    """Watches the folders that the user named, from the moment it is made on."""

    def __init__(self, request: Request, planner: Planner) -> None:
        """Make it before the plan, so that nothing comes between them.

        Raises:
            UsageError: no folder was named, or something else was.
            RestoreError: a folder cannot be watched.
        """
        names = request.inputs or []
        if not names or STANDARD_STREAM in names:
            raise UsageError("--watch needs a folder to watch", "name it: restore upscale FOLDER --watch")
        self._planner = planner
        self._watch = FolderWatcher(
            [Path(name) for name in names],
            recursive=request.files.recursive,
            output=request.files.output,
            passes_over=planner.makes,
        )

    @property
    def unread(self) -> Sequence[Path]:
        """Pictures of kinds that are not read which have come."""
        return self._watch.unread

    def jobs(
        self, plan: Plan, left_alone: Container[Path | None], refuse: Callable[[Refusal], None]
    ) -> Iterator[Job | None]:
        """Yield a job for every picture that was not there when `plan` was made, or has changed; None while none comes.

        One that is told of again replaces its result, which may be of what it was before, and may still be on its way;
        but if it was `left_alone`, the file that has its result's name is none of this run's. `refuse` is told of
        pictures whose results would overwrite others.

        Raises:
            RestoreError: a folder is gone.
        """
        known = {job.source for job in plan.jobs if job.source is not None}
        self._watch.pass_over(known)
        with self._watch as watch:
            for sources in watch:
                for source in sources:
                    try:
                        job = self._planner.add(source)
                    except UsageError as error:
                        refuse(Refusal(str(source.path), error))
                        continue
                    if job is not None:
                        yield replace(job, replaces=source.path in known and source.path not in left_alone)
                        known.add(source.path)
                yield None
