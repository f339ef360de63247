"""From what the user names to what shall be done: paths in, jobs out. No picture is opened and nothing is written."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from restore_cli.errors import PictureError, RestoreError, UnreadablePictureError, UsageError
from restore_cli.picture.formats import DEEP_ZOOM, FORMATS, WRITTEN, Format, format_by_name, format_of_path

STANDARD_STREAM = "-"
"""The name of standard input and standard output on the command line."""
PICTURE_SUFFIXES = frozenset(suffix for format in FORMATS for suffix in format.suffixes)
"""Endings by which a folder's files are taken for pictures."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to restore."""

    source: Path | None
    """None is standard input."""
    target: Path | None
    """None is standard output."""
    format: Format | None
    """Format to write; None follows the input's, where only its content tells."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something the user named that cannot become a job."""

    name: str
    error: RestoreError


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do."""

    jobs: tuple[Job, ...]
    refusals: tuple[Refusal, ...]
    passed_over: int
    """Files in folders that are hidden or no pictures."""


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    root: Path | None
    """The folder the user named, in which this file was found."""


def plan_jobs(
    inputs: Iterable[str],
    *,
    output: str | None = None,
    suffix: str,
    format_name: str | None = None,
    recursive: bool = True,
    overwrite: bool = False,
) -> Plan:
    """Expand files, folders and globs, and pair each picture with its target.

    `output` is a file, a folder, `-` or None. With a folder a result keeps its input's name and relative folder.
    Without one it lies beside its input, or in `<folder><suffix>` beside an input folder, with `suffix` in its name.

    Raises:
        UsageError: formats or targets contradict each other, or the result would replace its input.
    """
    format = _chosen_format(format_name)
    names = list(inputs)
    if STANDARD_STREAM in names:
        return _plan_standard_input(names, output, format)
    sources: list[_Source] = []
    refusals: list[Refusal] = []
    passed_over = 0
    for name in names:
        found, ignored, error = _expand(name, recursive, output)
        sources += found
        passed_over += ignored
        if error is not None:
            refusals.append(Refusal(name, error))
    sources = list({os.path.abspath(source.path): source for source in sources}.values())
    place = _Place(output, suffix, format, count=len(sources))
    jobs = tuple(place.job(source) for source in sources)
    _refuse_collisions(jobs, overwrite)
    _refuse_many_files_in_a_stream(jobs)
    return Plan(jobs, tuple(refusals), passed_over)


class _Place:
    """Where results go."""

    def __init__(self, output: str | None, suffix: str, format: Format | None, *, count: int) -> None:
        self.suffix = suffix
        self.format = format
        self.to_stdout = output == STANDARD_STREAM
        self.file: Path | None = None
        self.folder: Path | None = None
        if output is not None and not self.to_stdout:
            if _names_folder(output):
                self.folder = Path(output)
            else:
                self.file = Path(output)
                self.format = format or format_of_path(output)
        if count > 1 and (self.to_stdout or self.file is not None):
            raise UsageError(f"{count} pictures cannot all be written to {output}", "give -o a folder")

    def job(self, source: _Source) -> Job:
        format = self.format or format_of_path(source.path) or format_by_name("png")
        assert format is not None
        if self.to_stdout:
            return Job(source.path, None, format)
        if self.file is not None:
            return Job(source.path, self.file, format)
        kept = source.path.suffix if format_of_path(source.path) is format else format.suffixes[0]
        below = source.path.parent.relative_to(source.root) if source.root is not None else Path()
        if self.folder is not None:
            return Job(source.path, self.folder / below / (source.path.stem + kept), format)
        name = source.path.stem + self.suffix + kept
        if source.root is None:
            return Job(source.path, source.path.with_name(name), format)
        root = source.root.resolve()
        return Job(source.path, root.with_name(root.name + self.suffix) / below / name, format)


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
    if _names_folder(output):
        raise UsageError("the result of standard input has no name", "give -o a file, or - for standard output")
    return Plan((Job(None, Path(output), format or format_of_path(output)),), (), 0)


def _names_folder(output: str) -> bool:
    """Tell whether `-o` means a folder.

    Raises:
        UsageError: it looks like a file of a format that cannot be written.
    """
    path = Path(output)
    if output.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
        return True
    if format_of_path(path) is None:
        raise UsageError(
            f"{output} names no format that can be written",
            f"for a folder write {output}/, for a file use {', '.join(format.suffixes[0] for format in WRITTEN)}",
        )
    return False


def _expand(name: str, recursive: bool, output: str | None) -> tuple[list[_Source], int, PictureError | None]:
    """Return the pictures that `name` stands for, how many files were passed over, and why there are none."""
    path = Path(name)
    if path.is_dir():
        files, passed_over = _pictures_in(path, recursive, Path(output).resolve() if output else None)
        error = None if files else UnreadablePictureError(f"there are no pictures in {name}", _known_endings())
        return [_Source(file, path) for file in files], passed_over, error
    if path.exists():
        return [_Source(path, None)], 0, None
    matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
    files = [Path(match) for match in matches if Path(match).suffix.lower() in PICTURE_SUFFIXES]
    if files:
        return [_Source(file, None) for file in files], len(matches) - len(files), None
    what = "no picture matches" if glob.has_magic(name) else "there is no file"
    return [], 0, UnreadablePictureError(f"{what} {name}", "check the name and the folder; quote a name with spaces")


def _known_endings() -> str:
    return f"pictures are files that end in {', '.join(sorted(PICTURE_SUFFIXES))}"


def _pictures_in(folder: Path, recursive: bool, output: Path | None) -> tuple[list[Path], int]:
    """List the pictures below `folder`, sorted, without hidden files and without what lies in `output`."""
    pictures, passed_over = [], 0
    for path in _files_in(folder, recursive, output):
        if path.name.startswith(".") or path.suffix.lower() not in PICTURE_SUFFIXES:
            passed_over += 1
        else:
            pictures.append(path)
    return pictures, passed_over


def _files_in(folder: Path, recursive: bool, output: Path | None) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        here = Path(place)
        yield from (here / file for file in sorted(files))
        folders[:] = sorted(
            name for name in folders if recursive and not name.startswith(".") and (here / name).resolve() != output
        )


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
