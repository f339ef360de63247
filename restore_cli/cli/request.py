"""What the user asks for, whichever the command that restores pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, ReportOptions
from restore_cli.display import Display


@dataclass(frozen=True)
class Request:
    """The names of pictures and all groups of options."""

    inputs: list[str] | None
    files: FileOptions
    batch: BatchOptions
    engine: EngineOptions
    report: ReportOptions

    @cached_property
    def display(self) -> Display:
        """What the user sees."""
        return Display(quiet=self.report.quiet, verbose=self.report.verbose, json=self.report.json)
