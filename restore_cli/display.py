"""Words for people, on standard error: progress, notes, errors, the summary. Standard output is for data alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from restore_cli.batch.outcome import Outcome
from restore_cli.batch.sources import STANDARD_STREAM
from restore_cli.batch.totals import LISTED_FAILURES
from restore_cli.errors import RestoreError
from restore_cli.files.naming import shown
from restore_cli.summary import Summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table
FEW_FAILURES = 3
"""Failures up to which nobody needs a list of them at the end, where all failed."""


class Display:
    """What a user sees of a run."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False, json: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.json = json

    @cached_property
    def console(self) -> Console:
        """Standard error, with colours and bars; made when needed, since Rich takes as long to import as all else."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def error(self, error: RestoreError) -> None:
        """Print an error and its hint; never silenced."""
        self._line("error: ", "bold red", error.message)
        if error.hint:
            self._line("hint: ", "cyan", error.hint)

    def note(self, text: str) -> None:
        """Print something the user should know but need not act on."""
        if not self.quiet:
            self._line("note: ", "yellow", text)

    def say(self, text: str) -> None:
        """Print a plain line."""
        if not self.quiet:
            self._line("", "", text)

    def outcome(self, outcome: Outcome, *, alone: bool) -> None:
        """Tell of one picture: in words on standard error, and as JSON on standard output if asked for.

        Failures are always told; pictures that went well where there is one `alone`, or with `--verbose`.
        """
        if self.json:
            sys.stdout.write(json.dumps(outcome.record()) + "\n")
            sys.stdout.flush()
        if outcome.status == "failed":
            self.error(RestoreError(outcome.reason, outcome.hint))
        for note in outcome.notes:
            self.note(f"{_source_of(outcome)}: {note}")
        if not (alone or self.verbose):
            return
        if outcome.status == "skipped":
            self.say(f"{_source_of(outcome)}: skipped, {outcome.reason}")
        if outcome.status == "done":
            self.say(_describe(outcome, self.verbose))

    def planned(self, foreseen: Outcome, target: str | None) -> None:
        """Tell, on standard output, what a dry run foresees for one picture whose result would be `target`."""
        if self.json:
            sys.stdout.write(json.dumps(foreseen.record() | {"target": target}) + "\n")
            return
        way = " -> ".join(shown(name, escapes_bytes=False) for name in (foreseen.source, target) if name is not None)
        sys.stdout.write(f"{way} ({_intention(foreseen)})\n")

    def summary(self, summary: Summary) -> None:
        """Tell what became of the pictures of a batch: a table on a terminal, one line elsewhere.

        Names of those that failed are told again, but for a few with nothing after them.
        """
        totals = summary.totals
        if self.quiet or not (summary.interrupted or summary.left or totals.pictures != 1 or summary.passed_over):
            return
        if self._is_plain:
            self.say(summary.line())
        else:
            self.console.print(_table_of(summary.rows(names_folder=not self.json)))
        if totals.failed > FEW_FAILURES or 0 < totals.failed < totals.pictures:
            for name in totals.first_failed:
                self.say(f"failed: {name}")
            if totals.failed > LISTED_FAILURES:
                self.say(f"and {totals.failed - LISTED_FAILURES} more that failed; --json or --report lists all")

    @contextmanager
    def progress(self, pictures: int | None) -> Iterator[PictureProgress]:
        """Show a bar for the pictures of a batch, or for the tiles of a single one, while the context lasts.

        That of a single one goes to and fro until a part is done, since a picture may be restored whole. `pictures`
        None says that nobody knows how many there will be.
        """
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn() if pictures != 1 else TaskProgressColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=self.quiet or not self.console.is_interactive or pictures == 0,
        )
        with bar:
            total = None if pictures == 1 else pictures
            yield PictureProgress(bar, bar.add_task("restoring", total=total), pictures)

    @property
    def _is_plain(self) -> bool:
        """Whether nobody watches, so that neither colours nor tables are wanted."""
        return not sys.stderr.isatty() and "FORCE_COLOR" not in os.environ

    def give_up_standard_output(self) -> None:
        """Leave nothing to be written to standard output, now or at the end."""
        _give_up(sys.stdout)

    def _line(self, label: str, style: str, text: str) -> None:
        try:
            if self._is_plain:
                sys.stderr.write(f"{label}{shown(text)}\n")
                return
            from rich.text import Text

            self.console.print(Text.assemble((label, style), shown(text)))
        except OSError:  # nobody reads it, or a log's disk is full: the work goes on
            _give_up(sys.stderr)


class PictureProgress:
    """Moves a bar by pictures and by parts of pictures."""

    def __init__(self, bar: Progress, task: TaskID, pictures: int | None) -> None:
        self._bar = bar
        self._task = task
        self._pictures = pictures
        self._done = 0

    def part(self, share: float) -> None:
        """Show that `share` (0 to 1) of the current picture is done."""
        if share > 0:
            self._bar.update(self._task, total=self._pictures, completed=self._done + share)

    def picture_done(self) -> None:
        """Show that the current picture is done."""
        self._done += 1
        self._bar.update(self._task, total=self._pictures, completed=self._done)


def _give_up(stream: TextIO) -> None:
    """Let what is written to a stream, and what it still holds, go nowhere: else Python fails with it at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _table_of(rows: Iterable[tuple[str, str, str]]) -> Table:
    """Make a table of rows of a label, words and their style."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    table.add_column()
    for label, words, style in rows:
        table.add_row(label, Text(words, style))
    return table


def _source_of(outcome: Outcome) -> str:
    return "standard input" if outcome.source == STANDARD_STREAM else outcome.source


def _intention(foreseen: Outcome) -> str:
    if foreseen.status == "failed":
        return "fail"
    if foreseen.reason:
        return f"{'copy' if foreseen.status == 'planned' else 'skip'}, {foreseen.reason}"
    sizes = [f"{size[0]}x{size[1]}" for size in (foreseen.input_size, foreseen.output_size) if size is not None]
    return f"restore, {' to '.join(dict.fromkeys(sizes))}" if sizes else "restore"


def _describe(outcome: Outcome, verbose: bool) -> str:
    total = outcome.seconds.total
    width, height = outcome.output_size or (0, 0)
    target = "standard output" if outcome.target == STANDARD_STREAM else outcome.target
    text = f"{_source_of(outcome)} -> {target}  {width}x{height}  {total:.1f} s"
    if verbose:
        tile = f"tiles of {outcome.tile}" if outcome.tile else "whole"
        seconds = outcome.seconds
        kind = f" for {outcome.compression}" if outcome.compression else ""
        text += f"  ({outcome.model}{kind}, {outcome.device}, {outcome.precision}, {tile};"
        text += f" read {seconds.read:.2f}, run {seconds.run:.2f}, write {seconds.write:.2f})"
    return text
