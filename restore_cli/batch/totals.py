"""What a batch comes to: how many pictures, how large, and where the time went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from restore_cli.batch.outcome import Outcome, Seconds

MEGAPIXEL = 1_000_000
LISTED_FAILURES = 20


@dataclass(slots=True)
class Totals:
    """Sums over the outcomes of a batch so far; they stay small however many pictures there are."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    notes: int = 0
    pixels_read: int = 0
    """Of the pictures that were done."""
    pixels_written: int = 0
    seconds: Seconds = field(default_factory=Seconds)
    """To read, run and write them, added up; with several workers at once that is more than passes on a clock."""
    first_failed: list[str] = field(default_factory=list)
    """Names of the first pictures that failed, at most LISTED_FAILURES."""
    _codes: set[int] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        """Count one more picture."""
        self.notes += len(outcome.notes)
        match outcome.status:
            case "skipped":
                self.skipped += 1
            case "failed":
                self.failed += 1
                self._codes.add(outcome.exit_code)
                if len(self.first_failed) < LISTED_FAILURES:
                    self.first_failed.append(outcome.source)
            case "done":
                self.done += 1
                self.pixels_read += _pixels(outcome.input_size)
                self.pixels_written += _pixels(outcome.output_size)
                before, more = self.seconds, outcome.seconds
                self.seconds = Seconds(before.read + more.read, before.run + more.run, before.write + more.write)

    @property
    def pictures(self) -> int:
        """How many pictures have an outcome."""
        return self.done + self.skipped + self.failed

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, the failures' own code where they agree, else 1."""
        if not self._codes:
            return 0
        return next(iter(self._codes)) if len(self._codes) == 1 else 1

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
