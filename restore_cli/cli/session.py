"""Carry a plan out and tell of it; the same for every command that restores pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import typer

from restore_cli.batch import Outcome, Stopwatch, exit_code_of, failure, name_of_source, refused
from restore_cli.cli.crew import Crew
from restore_cli.cli.interruption import INTERRUPTED, interruption
from restore_cli.cli.options import FileOptions
from restore_cli.cli.request import Request
from restore_cli.cli.tasks import Load
from restore_cli.display import Display
from restore_cli.errors import RestoreError, UsageError
from restore_cli.planning import Job, Plan, Planner
from restore_cli.sources import STANDARD_STREAM, read_list

if TYPE_CHECKING:
    from restore_cli.manifest import Manifest


OutputSize = Callable[[int, int], tuple[int, int] | None]
"""Returns height and width of the result of a picture; None if it is to be left alone."""


def run_session(
    request: Request,
    load_task: Load,
    settings: Callable[[], Any],
    *,
    suffix: str,
    facts: Mapping[str, str] | None = None,
    output_size: OutputSize = lambda height, width: (height, width),
) -> None:
    """Restore what the user named with the task, which is loaded only if there is work for it.

    `settings` returns, fit for JSON, what the command does to a picture; a manifest asks for it. `suffix` tells the
    results of the command from its inputs, `facts` is what a template of `--output` may hold besides an input's own
    name, and `output_size` tells what a dry run needs to know of the task.

    Raises:
        UsageError: nothing was named, options contradict each other, or there is something about the manifest.
        typer.Exit: something failed or was interrupted; it carries the exit code.
    """
    batch, display = request.batch, request.display
    planner = _planner(request, suffix, facts)
    arrivals = None
    if batch.watch and not request.report.dry_run:
        from restore_cli.cli.arrivals import Arrivals

        arrivals = Arrivals(request, planner)
    plan = planner.plan(_names(request))
    _check(request, to_stdout=any(job.target is None for job in plan.jobs))
    if request.report.dry_run:
        _show_plan(plan, request.files, display, output_size)
        return
    watch = Stopwatch()
    with ExitStack() as stack:
        manifest = None
        if batch.manifest is not None:
            from restore_cli.manifest import Manifest

            manifest = Manifest(batch.manifest, {"files": _settings_of(request.files), "command": settings()})
            stack.enter_context(manifest)
        ledger = Ledger(request, manifest, alone=len(plan.jobs) == 1 and arrivals is None)
        for refusal in plan.refusals:
            ledger.note(refused(refusal))
        jobs = ledger.sort(plan.jobs)
        later = arrivals.jobs(plan, lambda refusal: ledger.note(refused(refusal))) if arrivals else None
        interrupted = _run(jobs, later, load_task, request, ledger)
    display.summary(ledger.outcomes, watch.lap(), passed_over=plan.passed_over, interrupted=interrupted)
    code = INTERRUPTED if interrupted else exit_code_of(ledger.outcomes)
    if code:
        raise typer.Exit(code)


def _planner(request: Request, suffix: str, facts: Mapping[str, str] | None) -> Planner:
    files = request.files
    return Planner(
        output=files.output,
        suffix=suffix,
        ending=files.suffix,
        facts=facts,
        format_name=files.format,
        recursive=files.recursive,
        overwrite=files.overwrite,
        shard=request.batch.shard,
        grows=request.batch.watch,
    )


def _names(request: Request) -> list[str]:
    """Return what the user named, in the arguments and in a list.

    Raises:
        UsageError: that is nothing, or the list cannot be read.
    """
    names, files = list(request.inputs or ()), request.files
    if files.from_file is not None:
        if STANDARD_STREAM in names and files.from_file == STANDARD_STREAM:
            raise UsageError("standard input cannot be a picture and a list of pictures", "leave one of the - away")
        names += read_list(files.from_file, null=files.null)
    elif not names:
        raise UsageError("no pictures were named", "name files, folders or globs, or a list of them with --from-file")
    return names


def _check(request: Request, *, to_stdout: bool) -> None:
    """Refuse options that contradict each other."""
    report, batch = request.report, request.batch
    if batch.retry_failed and batch.manifest is None:
        raise UsageError("--retry-failed does not know what failed", "name the manifest of that run with --manifest")
    if batch.devices is not None and request.engine.device != "auto":
        raise UsageError("--device and --devices contradict each other", "give one of them")
    if report.dry_run or not to_stdout:
        return
    if report.json:
        raise UsageError(
            "--json and the picture cannot both go to standard output", "write the picture to a file with -o"
        )
    if typer.get_text_stream("stdout").isatty():
        raise UsageError("a picture is not written to a terminal", "redirect it, or name a file with -o")


def _settings_of(files: FileOptions) -> dict[str, Any]:
    return {"format": files.format, "quality": files.quality, "strip_metadata": files.strip_metadata}


class Ledger:
    """What became of the pictures so far, and whether that is reason to stop."""

    def __init__(self, request: Request, manifest: Manifest | None, *, alone: bool) -> None:
        """`alone` says that there is one picture, of which the user wants to hear."""
        self.outcomes: list[Outcome] = []
        self.failed = 0
        self.ends_run = False
        self._allowed = request.batch.failures_allowed
        self._display = request.display
        self._manifest = manifest
        self._retries = request.batch.retry_failed
        self._alone = alone

    @property
    def is_closed(self) -> bool:
        """Whether no other picture shall be begun."""
        return self.ends_run or (self._allowed is not None and self.failed > self._allowed)

    def sort(self, jobs: Sequence[Job]) -> tuple[Job, ...]:
        """Return the jobs that are left to do, and take down the outcomes of those that the manifest knows."""
        if self._manifest is None:
            return tuple(jobs)
        found = self._manifest.sort(jobs, retry_failed=self._retries)
        for outcome in found.known:
            self.note(outcome)
        return found.left

    def note(self, outcome: Outcome, job: Job | None = None) -> None:
        """Take down an outcome, and tell it; that of a `job` goes into the manifest, too."""
        if job is not None and self._manifest is not None:
            self._manifest.record(job, outcome)
        self.outcomes.append(outcome)
        self.failed += outcome.status == "failed"
        self.ends_run |= outcome.ends_run
        self._display.outcome(outcome, alone=self._alone)


def _run(
    jobs: Sequence[Job], later: Iterator[Job | None] | None, load_task: Load, request: Request, ledger: Ledger
) -> bool:
    """Note the outcome of every job, until too many failed; return whether the run was interrupted.

    `later` yields jobs that come while it runs, and None while none comes.
    """
    display, left = request.display, len(jobs)
    try:
        with interruption() as interrupted, display.progress(left if later is None else None) as progress:
            crew = Crew(request, load_task, progress.part)

            def stop() -> bool:
                return interrupted() or ledger.is_closed

            for job, outcome in crew.work(jobs, later and _left_to_do(later, ledger), stop):
                if ledger.is_closed and outcome.status == "failed":
                    continue  # it was read ahead, and is left to another run
                left -= 1
                progress.picture_done()
                ledger.note(outcome, job)
            if ledger.is_closed and left > 0:
                why = "no other picture can be written either" if ledger.ends_run else f"{ledger.failed} failed"
                display.note(f"stopped: {why}, {left} left undone")
            return interrupted()
    except KeyboardInterrupt:
        return True


def _left_to_do(later: Iterator[Job | None], ledger: Ledger) -> Iterator[Job | None]:
    """Yield of jobs that come those that the manifest does not know."""
    for job in later:
        yield from ledger.sort([job]) if job is not None else (None,)


def _show_plan(plan: Plan, files: FileOptions, display: Display, output_size: OutputSize) -> None:
    outcomes = [refused(refusal) for refusal in plan.refusals]
    for outcome in outcomes:
        display.outcome(outcome, alone=False)
    for job in plan.jobs:
        source, target = name_of_source(job), str(job.target or "-")
        if job.target is not None and job.target.exists() and not files.overwrite:
            display.planned(source, target, "skip, it exists")
            continue
        error = _foreseen_error(job, files, output_size)
        if error is None:
            display.planned(source, target, "restore")
        else:
            display.planned(source, target, "fail")
            display.error(error)
            outcomes.append(failure(job, error))
    code = exit_code_of(outcomes)
    if code:
        raise typer.Exit(code)


def _foreseen_error(job: Job, files: FileOptions, output_size: OutputSize) -> RestoreError | None:
    """Return why a picture cannot be restored, as far as its header tells."""
    if job.source is None or job.format is None:
        return None
    from restore_cli.picture.reading import measure_picture
    from restore_cli.picture.writing import check_size

    try:
        size = output_size(*measure_picture(job.source, max_pixels=files.max_pixels))
        if size is not None:
            check_size(size[1], size[0], job.format)
    except RestoreError as error:
        return error
    return None
