"""What became of the pictures of a batch, in words: on one line, or as the rows of a table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from restore_cli.batch.totals import MEGAPIXEL, Totals
from restore_cli.files.naming import shown

SLOW = 0.01
"""Megapixels a second below which the number of pictures says more."""
PIXEL_SPEED = "MP/s"
"""Unit of a speed that is told in pixels."""
LONG = 120
"""Seconds from which on a time is told in hours, minutes and seconds."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told at the end of a batch."""

    totals: Totals
    seconds: float
    """That the batch took."""
    passed_over: int
    """Files that are no pictures."""
    left: int
    """Pictures without an outcome; 0 where that need not be told."""
    interrupted: bool

    def line(self) -> str:
        """Return all of it on one line."""
        totals = self.totals
        parts = [f"{totals.done} done"]
        parts += [f"{totals.skipped} skipped"] if totals.skipped else []
        parts += [f"{totals.failed} failed"] if totals.failed else []
        parts += [f"{self.left} left"] if self.left else []
        parts += [f"{other_files(self.passed_over)} passed over"] if self.passed_over else []
        end = f" ({self._speed})" if self._speed else ""
        return f"{'interrupted: ' if self.interrupted else ''}{', '.join(parts)} in {self.seconds:.1f} s{end}"

    def rows(self, *, names_folder: bool = True) -> Iterator[tuple[str, str, str]]:
        """Yield the label, the words and the style of each row of a table.

        It `names_folder` where all results lie in one, other than the current one.
        """
        totals = self.totals
        if self.interrupted:
            yield "", "interrupted", "yellow"
        where = f" in {shown(os.path.join(totals.folder, ''))}" if names_folder and totals.folder else ""
        yield "done", f"{totals.done:,}{where}", "green" if totals.done else ""
        if totals.skipped:
            yield "skipped", f"{totals.skipped:,}", ""
        if totals.failed:
            yield "failed", f"{totals.failed:,}", "bold red"
        if self.left:
            yield "left", f"{self.left:,}", ""
        if self.passed_over:
            yield "passed over", other_files(self.passed_over), ""
        if totals.pixels_read:
            read, written = totals.pixels_read / MEGAPIXEL, totals.pixels_written / MEGAPIXEL
            yield "pixels", f"{read:,.1f} MP read, {written:,.1f} MP written", ""
        if self._speed:
            yield "speed", f"{self._speed} of input" if self._speed.endswith(PIXEL_SPEED) else self._speed, ""
        long = self.seconds >= LONG
        yield "time", str(timedelta(seconds=round(self.seconds))) if long else f"{self.seconds:.1f} s", ""
        if totals.shares is not None:
            shares = zip(("read", "run", "write"), totals.shares, strict=True)
            yield "spent on", ", ".join(f"{name} {share:.0%}" for name, share in shares), ""

    @property
    def _speed(self) -> str:
        """Megapixels a second, and of small pictures their number; nothing where neither is known."""
        speed = self.totals.pixels_read / MEGAPIXEL / self.seconds if self.seconds > 0 else 0.0
        if speed >= 1:
            return f"{speed:,.1f} {PIXEL_SPEED}"
        if speed >= SLOW:
            return f"{speed:.2g} {PIXEL_SPEED}"
        return f"{self.totals.done / self.seconds:.2g} pictures/s" if speed > 0 else ""


def other_files(count: int) -> str:
    """Return in words how many files were passed over."""
    return "1 other file" if count == 1 else f"{count:,} other files"
