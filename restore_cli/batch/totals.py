"""What a batch comes to: how many pictures, how large, and where the time went."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from restore_cli.batch.outcome import Outcome, Seconds

MEGAPIXEL = 1_000_000
LISTED_FAILURES = 20


@dataclass(slots=True)
class Totals:
    """Sums over the outcomes of a batch so far; they stay small however many pictures there are that did not fail."""

    done: int = 0
    skipped: int = 0
    notes: int = 0
    pixels_read: int = 0
    """Of the pictures that were done."""
    pixels_written: int = 0
    folder: str | None = None
    """The one in which all results lie; empty where there are several, None where there are no results."""
    seconds: Seconds = field(default_factory=Seconds)
    """To read, run and write them, added up; with several workers at once that is more than passes on a clock."""
    _failed: dict[str, int] = field(default_factory=dict)
    """Exit codes of the pictures that failed, by name."""

    def add(self, outcome: Outcome) -> None:
        """Count one more picture; of one that failed before, and was whole when it came again, that counts."""
        self.notes += len(outcome.notes)
        self._failed.pop(outcome.source, None)
        match outcome.status:
            case "skipped":
                self.skipped += 1
            case "failed":
                self._failed[outcome.source] = outcome.exit_code
            case "done":
                self.done += 1
                self.pixels_read += _pixels(outcome.input_size)
                self.pixels_written += _pixels(outcome.output_size)
                folder = os.path.dirname(outcome.target or "")
                self.folder = folder if self.folder in (None, folder) else ""
                before, more = self.seconds, outcome.seconds
                self.seconds = Seconds(before.read + more.read, before.run + more.run, before.write + more.write)

    @property
    def failed(self) -> int:
        """How many pictures failed."""
        return len(self._failed)

    @property
    def first_failed(self) -> list[str]:
        """Names of the first pictures that failed, at most LISTED_FAILURES."""
        return list(islice(self._failed, LISTED_FAILURES))

    @property
    def pictures(self) -> int:
        """How many pictures have an outcome."""
        return self.done + self.skipped + self.failed

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, the failures' own code where they agree, else 1."""
        codes = set(self._failed.values())
        if not codes:
            return 0
        return codes.pop() if len(codes) == 1 else 1

    @property
    def shares(self) -> tuple[float, float, float] | None:
        """The parts, 0 to 1, that reading, running and writing have in the time; None where nothing was done."""
        parts = (self.seconds.read, self.seconds.run, self.seconds.write)
        whole = sum(parts)
        return (parts[0] / whole, parts[1] / whole, parts[2] / whole) if whole > 0 else None


def add_up(outcomes: Iterable[Outcome]) -> Totals:
    """Add up outcomes that are at hand."""
    totals = Totals()
    for outcome in outcomes:
        totals.add(outcome)
    return totals


def _pixels(size: tuple[int, int] | None) -> int:
    return size[0] * size[1] if size is not None else 0
