"""From what the user names to what shall be done: paths in, jobs out. No picture is opened and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from restore_cli.errors import UsageError
from restore_cli.picture.formats import DEEP_ZOOM, WRITTEN, Format, format_by_name, format_of_path
from restore_cli.sources import STANDARD_STREAM, Refusal, Shard, find_sources
from restore_cli.targets import Place, names_folder


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
    """All that a run will do."""

    jobs: tuple[Job, ...]
    refusals: tuple[Refusal, ...]
    passed_over: int
    """Files in folders that are hidden or no pictures."""


def plan_jobs(
    inputs: Iterable[str],
    *,
    output: str | None = None,
    suffix: str,
    ending: str | None = None,
    facts: Mapping[str, str] | None = None,
    format_name: str | None = None,
    recursive: bool = True,
    overwrite: bool = False,
    shard: Shard | None = None,
) -> Plan:
    """Expand files, folders and globs, and pair each picture with its target.

    `output` is a file, a folder, `-`, a template or None. With a folder a result keeps its input's name and relative
    folder. Without one it lies beside its input, or in `<folder><suffix>` beside an input folder, with `suffix` in its
    name. `ending` and `facts` are as `Place` takes them. Of all jobs those of `shard` are kept.

    Raises:
        UsageError: formats or targets contradict each other, or the result would replace its input.
    """
    format = _chosen_format(format_name)
    if ending is not None and (os.sep in ending or "/" in ending):
        raise UsageError(f"the suffix {ending} names a folder", "name folders with -o")
    names = list(inputs)
    if STANDARD_STREAM in names:
        return _plan_standard_input(names, output, format)
    found = find_sources(names, recursive=recursive, output=output)
    place = Place(output, format, suffix=suffix, ending=ending, facts=facts, count=len(found.sources))
    jobs = {source: Job(source.path, *place.target(source)) for source in found.sources}
    _refuse_collisions(jobs.values(), overwrite)
    _refuse_many_files_in_a_stream(jobs.values())
    kept = tuple(job for source, job in jobs.items() if shard is None or shard.holds(source))
    return Plan(kept, found.refusals, found.passed_over)


def _chosen_format(name: str | None) -> Format | None:
    if name is None:
        return None
    format = format_by_name(name)
    if format is None:
        raise UsageError(f"no format is called {name!r}", f"known are {', '.join(format.name for format in WRITTEN)}")
    return format


def _plan_standard_input(names: list[str], output: str | None, format: Format | None) -> Plan:
    if len(names) > 1:
        raise UsageError("standard input (-) cannot be mixed with other inputs")
    if output is None or output == STANDARD_STREAM:
        _refuse_many_files_in_a_stream(jobs := (Job(None, None, format),))
        return Plan(jobs, (), 0)
    if names_folder(output):
        raise UsageError("the result of standard input has no name", "give -o a file, or - for standard output")
    return Plan((Job(None, Path(output), format or format_of_path(output)),), (), 0)


def _refuse_collisions(jobs: Iterable[Job], overwrite: bool) -> None:
    taken: dict[str, Path] = {}
    for job in jobs:
        if job.source is None or job.target is None:
            continue
        key = os.path.normcase(os.path.abspath(job.target))
        if key in taken:
            raise UsageError(
                f"{taken[key]} and {job.source} would both be written to {job.target}", "restore them one at a time"
            )
        taken[key] = job.source
        if not overwrite and key == os.path.normcase(os.path.abspath(job.source)):
            raise UsageError(f"the result would replace its input {job.source}", "choose another -o, or --overwrite")


def _refuse_many_files_in_a_stream(jobs: Iterable[Job]) -> None:
    if any(job.target is None and job.format is DEEP_ZOOM for job in jobs):
        raise UsageError("a Deep Zoom picture is many files, which standard output cannot take", "name one with -o")
