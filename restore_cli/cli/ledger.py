"""What became of the pictures of a run so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from restore_cli.batch.outcome import Outcome
from restore_cli.batch.planning import Job
from restore_cli.batch.totals import Totals
from restore_cli.cli.request import Request
from restore_cli.errors import RestoreError

if TYPE_CHECKING:
    from restore_cli.batch.manifest import Manifest


class Ledger:
    """Takes outcomes down and tells them, and knows whether they are reason to stop."""

    def __init__(self, request: Request, manifest: Manifest | None, *, alone: bool) -> None:
        """`alone` says that there is one picture, of which the user wants to hear."""
        self.totals = Totals()
        self.outcomes: list[Outcome] = []
        """All of them, for a report; empty where none is asked for."""
        self.undone = 0
        """How many of the pictures that were there at the beginning have no outcome yet."""
        self.ends_run = False
        self.exit_code = 0
        """That of what went wrong besides pictures."""
        self.left_alone: set[Path | None] = set()
        """Pictures that were skipped and not restored since, where a run goes on and they may come again."""
        self._failure = ""
        self._keeps = request.report.report is not None
        self._watches = request.batch.watch
        self._allowed = request.batch.failures_allowed
        self._display = request.display
        self._manifest = manifest
        self._retries = request.batch.retry_failed
        self._alone = alone

    @property
    def is_closed(self) -> bool:
        """Whether no other picture shall be begun."""
        return (
            self.ends_run or self.exit_code != 0 or (self._allowed is not None and self.totals.failed > self._allowed)
        )

    @property
    def why_closed(self) -> str:
        """The reason for that, in words."""
        if self._failure:
            return self._failure
        return "no other picture can be written either" if self.ends_run else f"{self.totals.failed} failed"

    def sort(self, jobs: Sequence[Job]) -> tuple[Job, ...]:
        """Return the jobs that are left to do, and take down the outcomes of those that the manifest knows."""
        if self._manifest is None:
            return tuple(jobs)
        found = self._manifest.sort(jobs, retry_failed=self._retries)
        for outcome in found.known:
            self.note(outcome)
        return found.left

    def fail(self, error: RestoreError, why: str) -> None:
        """Tell of what went wrong besides pictures, which is `why` no other one is begun."""
        self._display.error(error)
        self.exit_code, self._failure = error.exit_code, why

    def note(self, outcome: Outcome, job: Job | None = None) -> None:
        """Take down an outcome, and tell it; that of a `job` goes into the manifest, too."""
        if job is not None:
            self._record(job, outcome)
            if self._watches and outcome.status == "skipped":
                self.left_alone.add(job.source)
            elif outcome.status == "done":
                self.left_alone.discard(job.source)
        self.totals.add(outcome)
        if self._keeps:
            self.outcomes.append(outcome)
        self.ends_run |= outcome.ends_run
        self._display.outcome(outcome, alone=self._alone)

    def _record(self, job: Job, outcome: Outcome) -> None:
        if self._manifest is None:
            return
        try:
            self._manifest.record(job, outcome)
        except RestoreError as error:
            self.fail(error, "the manifest cannot be written")
            self._manifest = None
