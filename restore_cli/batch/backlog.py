"""Jobs that are left, as far as they are known."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from restore_cli.batch.planning import Job


class Backlog:
    """Jobs one by one, where there may be none at the moment."""

    def __init__(self, jobs: Iterable[Job | None]) -> None:
        self._jobs = iter(jobs)
        self._next: deque[Job] = deque()
        self._has_none = False
        self.is_exhausted = False

    def ask_again(self) -> None:
        """Let `count` and `take` ask for jobs again after there were none.

        The answer can take a moment, so this is for now and then.
        """
        self._has_none = False

    def count(self, most: int = 1) -> int:
        """Return how many jobs there are at the moment, as far as `most`."""
        while len(self._next) < most and not (self.is_exhausted or self._has_none):
            try:
                job = next(self._jobs)
            except StopIteration:
                self.is_exhausted = True
                break
            if job is None:
                self._has_none = True
                break
            self._next.append(job)
        return len(self._next)

    def take(self) -> Job | None:
        """Return the next job; None if there is none at the moment."""
        return self._next.popleft() if self.count() else None
