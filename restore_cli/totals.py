"""What a batch comes to: how many pictures, how large, and where the time went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from restore_cli.batch import Outcome, Seconds

MEGAPIXEL = 1_000_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the outcomes of a batch."""

    done: int
    skipped: int
    failed: int
    notes: int
    pixels_read: int
    """Of the pictures that were done."""
    pixels_written: int
    seconds: Seconds
    """To read, run and write them, added up; with several workers at once that is more than passes on a clock."""

    @property
    def shares(self) -> tuple[float, float, float] | None:
        """The parts, 0 to 1, that reading, running and writing have in the time; None where nothing was done."""
        parts = (self.seconds.read, self.seconds.run, self.seconds.write)
        whole = sum(parts)
        return (parts[0] / whole, parts[1] / whole, parts[2] / whole) if whole > 0 else None


def add_up(outcomes: Iterable[Outcome]) -> Totals:
    """Add up a batch."""
    counts = {"done": 0, "skipped": 0, "failed": 0}
    notes = pixels_read = pixels_written = 0
    read = run = write = 0.0
    for outcome in outcomes:
        counts[outcome.status] += 1
        notes += len(outcome.notes)
        if outcome.status != "done":
            continue
        pixels_read += _pixels(outcome.input_size)
        pixels_written += _pixels(outcome.output_size)
        read += outcome.seconds.read
        run += outcome.seconds.run
        write += outcome.seconds.write
    seconds = Seconds(read, run, write)
    return Totals(**counts, notes=notes, pixels_read=pixels_read, pixels_written=pixels_written, seconds=seconds)


def _pixels(size: tuple[int, int] | None) -> int:
    return size[0] * size[1] if size is not None else 0
