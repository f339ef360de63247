"""From what the user names to what shall be done: paths in, jobs out. Nothing is written.

No picture is opened but those whose names do not tell their format, of which the first bytes are read.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from restore_cli.batch.sources import STANDARD_STREAM, Refusal, Shard, Source, absolute, find_sources
from restore_cli.batch.targets import Destination, Target, Template, format_to_write, is_template, names_folder
from restore_cli.errors import UsageError
from restore_cli.picture.formats import DEEP_ZOOM, Format, find_format

SAME_NAME = "keep apart their folders with -o 'FOLDER/{parent}/{stem}.{ext}', or their kinds with 'FOLDER/{name}.{ext}'"


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to restore."""

    source: Path | None
    """None is standard input."""
    target: Path | None
    """None is standard output."""
    format: Format | None
    """Format to write; None follows the input's, where only its content tells."""
    replaces: bool = False
    """Whether an existing target is replaced even where the run leaves others alone."""
    contested: bool = False
    """Whether another run had it in hand when it was to be done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do, as far as it is known when it begins."""

    jobs: tuple[Job, ...]
    refusals: tuple[Refusal, ...]
    passed_over: int
    """Files in folders that are hidden or no pictures."""
    earlier_results: tuple[Path, ...] = ()
    """What was found and is left alone, since it is where the result of another picture goes."""
    unread: tuple[Path, ...] = ()
    """Those of the files that are passed over that are pictures of kinds that are not read."""


class Planner:
    """Pairs pictures with targets, no two with the same one."""

    def __init__(
        self,
        *,
        output: str | None = None,
        suffix: str,
        suffix_override: str | None = None,
        facts: Mapping[str, str] | None = None,
        format_name: str | None = None,
        recursive: bool = True,
        overwrite: bool = False,
        shard: Shard | None = None,
        grows: bool = False,
    ) -> None:
        """Results go to `output`, which is a file, a folder, `-`, a template or None.

        With a folder a result keeps its input's name and relative folder. Without one it lies beside its input, or in
        `<folder><suffix>` beside an input folder, with `suffix` in its name. `suffix_override` and `facts` are as
        `Destination` takes them. Of all jobs those of `shard` are kept. A plan that `grows` may begin empty.

        Raises:
            UsageError: there is no such format, or the suffix is none.
        """
        self.output = output
        self.recursive = recursive
        self._format = None if format_name is None else find_format(format_name)
        if suffix_override is not None and (os.sep in suffix_override or "/" in suffix_override):
            raise UsageError(f"the suffix {suffix_override} names a folder", "name folders with -o")
        self._suffix = suffix
        self._suffix_override = suffix_override
        self._facts = facts
        self._overwrite = overwrite
        self._shard = shard
        self._grows = grows
        self._sources: dict[str, Path] = {}  # by target

    @cached_property
    def _destination(self) -> Destination:
        """Where results go; made when the first source is known, since standard input has rules of its own."""
        return Destination(
            self.output,
            self._format,
            suffix=self._suffix,
            suffix_override=self._suffix_override,
            facts=self._facts,
        )

    def plan(self, inputs: Iterable[str], listed: Iterable[str] = ()) -> Plan:
        """Expand files, folders and globs, and pair each picture with its target.

        The names that are `listed` are files and folders alone, whatever characters they hold.

        Raises:
            UsageError: formats or targets contradict each other, or the result would replace its input.
        """
        names = list(inputs)
        if STANDARD_STREAM in names:
            return self._plan_standard_input([*names, *listed])
        found = find_sources(names, listed, recursive=self.recursive, output=self.output)
        if self._destination.takes_one and (self._grows or len(found.sources) > 1):
            raise UsageError(f"several pictures cannot all be written to {self.output}", "give -o a folder")
        placed = [(source, self._destination.target(source)) for source in found.sources]
        results = self._results_among(placed)
        added = [self._add(source, target) for source, target in placed if source.path not in results]
        jobs = tuple(job for job in added if job is not None)
        _refuse_many_files_in_a_stream(jobs)
        refusals = tuple(refusal for refusal in found.refusals if not (self._grows and os.path.isdir(refusal.name)))
        return Plan(jobs, refusals, found.passed_over, tuple(results), found.unread)

    def add(self, source: Source) -> Job | None:
        """Plan one more picture; return None where it is in another part than that of this run.

        Raises:
            UsageError: its result has the name of another one, or would replace its input.
        """
        return self._add(source, self._destination.target(source))

    def _plan_standard_input(self, names: list[str]) -> Plan:
        if len(names) > 1:
            raise UsageError("standard input (-) cannot be mixed with other inputs")
        if self.output is None or self.output == STANDARD_STREAM:
            _refuse_many_files_in_a_stream(jobs := (Job(None, None, self._format),))
            return Plan(jobs, (), 0)
        output = self.output
        if is_template(output):
            template = Template(output, self._facts or {})
            if template.fields:
                raise UsageError(
                    f"{output} is a template, and standard input has no name to fill it in",
                    f"name a file without {{{template.fields[0]}}}",
                )
            output = output.format(**template.facts)
        if names_folder(output):
            raise UsageError("the result of standard input has no name", "give -o a file, or - for standard output")
        return Plan((Job(None, Path(output), format_to_write(Path(output), self._format)),), (), 0)

    def _add(self, source: Source, target: Target) -> Job | None:
        job = Job(source.path, *target)
        if job.target is not None:
            self._take(source.path, job.target)
        return job if self._shard is None or self._shard.holds(source) else None

    def _results_among(self, placed: Sequence[tuple[Source, Target]]) -> dict[Path, None]:
        """Return those of the sources, each with its target, that are where another's result goes, or would by default.

        They are results of an earlier run, and not to be done again. Where results replace what is there, a source that
        its own result would replace is taken for an original: it is not lost without a word.
        """
        made: set[str] = set()
        originals: set[str] = set()
        keys = [_key(source.path) for source, _ in placed]
        for key, (source, (target, _)) in zip(keys, placed, strict=True):
            made |= {_key(path) for path in (target, self._destination.beside(source)) if path is not None} - {key}
            if self._overwrite and target is not None and _key(target) == key:
                originals.add(key)
        results = made - originals
        return {source.path: None for key, (source, _) in zip(keys, placed, strict=True) if key in results}

    def makes(self, path: Path) -> bool:
        """Tell whether a file is the result of a picture that was planned."""
        return _key(path) in self._sources

    def _take(self, source: Path, target: Path) -> None:
        key = _key(target)
        other = self._sources.setdefault(key, source)
        if _key(other) != _key(source):
            raise UsageError(f"{other} and {source} would both be written to {target}", SAME_NAME)
        if not self._overwrite and key == _key(source):
            raise UsageError(
                f"the result would replace its input {source}",
                "choose another -o; --overwrite would replace the original",
            )


def _key(path: Path) -> str:
    """Return what the names of one file have in common; on Windows case tells none apart.

    On macOS case does not either, nor whether a letter and its accent are one character or two. Where a volume there
    does tell such names apart, two results that differ by no more are refused even so.
    """
    name = os.path.normcase(absolute(path))
    return unicodedata.normalize("NFC", name).casefold() if sys.platform == "darwin" else name


def _refuse_many_files_in_a_stream(jobs: Iterable[Job]) -> None:
    if any(job.target is None and job.format is DEEP_ZOOM for job in jobs):
        raise UsageError("a Deep Zoom picture is many files, which standard output cannot take", "name one with -o")
