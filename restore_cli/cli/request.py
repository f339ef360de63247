"""What the user asks for, whichever the command that restores pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from restore_cli.batch.planning import Planner
from restore_cli.batch.sources import STANDARD_STREAM, read_list
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, ReportOptions
from restore_cli.display import Display
from restore_cli.errors import UsageError


@dataclass(frozen=True)
class Request:
    """The names of pictures and all groups of options."""

    inputs: list[str] | None
    files: FileOptions
    batch: BatchOptions
    engine: EngineOptions
    report: ReportOptions
    copy_rest: bool = False
    """Whether pictures that are left alone are copied."""

    @cached_property
    def display(self) -> Display:
        """What the user sees."""
        return Display(quiet=self.report.quiet, verbose=self.report.verbose, json=self.report.json)

    def names(self) -> tuple[list[str], list[str]]:
        """Return what the user named: in the arguments, and in a list.

        Raises:
            UsageError: that is nothing, or the list cannot be read.
        """
        names, listed, files = list(self.inputs or ()), list[str](), self.files
        if files.from_file is not None:
            if STANDARD_STREAM in names and files.from_file == STANDARD_STREAM:
                raise UsageError("standard input cannot be a picture and a list of pictures", "leave one of the - away")
            listed = read_list(files.from_file, null=files.null)
        elif not names:
            raise UsageError(
                "no pictures were named", "name files, folders or globs, or a list of them with --from-file"
            )
        if "" in names:
            raise UsageError("an empty name names no picture", "in a script, a variable may be empty")
        return names, listed

    def planner(self, *, suffix: str, facts: Mapping[str, str] | None) -> Planner:
        """Return what pairs pictures with their results; `suffix` and `facts` are as `Planner` takes them.

        Raises:
            UsageError: there is no such format, or the suffix is none.
        """
        files = self.files
        return Planner(
            output=files.output,
            suffix=suffix,
            suffix_override=files.suffix,
            facts=facts,
            format_name=files.format,
            recursive=files.recursive,
            overwrite=files.overwrite,
            shard=self.batch.shard,
            grows=self.batch.watch,
        )
