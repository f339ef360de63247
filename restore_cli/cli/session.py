"""Carry a plan out and tell of it; the same for every command that restores pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from restore_cli.batch import Outcome, Stopwatch, exit_code_of, failure, name_of_source, refused, run_jobs
from restore_cli.cli.interruption import INTERRUPTED, interruption
from restore_cli.cli.options import BatchOptions, FileOptions, ReportOptions
from restore_cli.display import Display
from restore_cli.errors import RestoreError, UsageError
from restore_cli.planning import Job, Plan, plan_jobs
from restore_cli.sources import STANDARD_STREAM, read_list

if TYPE_CHECKING:
    from restore_cli.manifest import Manifest
    from restore_cli.task import Task


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for, whichever the command."""

    inputs: list[str] | None
    files: FileOptions
    batch: BatchOptions
    report: ReportOptions

    def display(self) -> Display:
        """Return what the user shall see."""
        return Display(quiet=self.report.quiet, verbose=self.report.verbose, json=self.report.json)


def plan_session(request: Request, suffix: str, facts: Mapping[str, str] | None = None) -> Plan:
    """Plan what the user named; `suffix` tells the results of the command from its inputs.

    `facts` is what a template of `--output` may hold besides the input's own name.

    Raises:
        UsageError: nothing was named, a list cannot be read, or as `plan_jobs` does.
    """
    names, files = list(request.inputs or ()), request.files
    if files.from_file is not None:
        if STANDARD_STREAM in names and files.from_file == STANDARD_STREAM:
            raise UsageError("standard input cannot be a picture and a list of pictures", "leave one of the - away")
        names += read_list(files.from_file, null=files.null)
    elif not names:
        raise UsageError("no pictures were named", "name files, folders or globs, or a list of them with --from-file")
    return plan_jobs(
        names,
        output=files.output,
        suffix=suffix,
        ending=files.suffix,
        facts=facts,
        format_name=files.format,
        recursive=files.recursive,
        overwrite=files.overwrite,
        shard=request.batch.shard,
    )


OutputSize = Callable[[int, int], tuple[int, int] | None]
"""Returns height and width of the result of a picture; None if it is to be left alone."""


def run_session(
    plan: Plan,
    load_task: Callable[[], Task],
    request: Request,
    display: Display,
    settings: Callable[[], Any],
    output_size: OutputSize = lambda height, width: (height, width),
) -> None:
    """Run all jobs of `plan` with the task, which is loaded only if there is work for it.

    `settings` returns, fit for JSON, what the command does to a picture; a manifest asks for it. `output_size` tells
    what a dry run needs to know of the task.

    Raises:
        UsageError: results and reports would both go to standard output, or there is something about the manifest.
        typer.Exit: something failed or was interrupted; it carries the exit code.
    """
    report, batch = request.report, request.batch
    to_stdout = any(job.target is None for job in plan.jobs)
    if report.json and to_stdout and not report.dry_run:
        raise UsageError(
            "--json and the picture cannot both go to standard output", "write the picture to a file with -o"
        )
    if batch.retry_failed and batch.manifest is None:
        raise UsageError("--retry-failed does not know what failed", "name the manifest of that run with --manifest")
    if report.dry_run:
        _show_plan(plan, request.files, display, output_size)
        return
    if to_stdout and typer.get_text_stream("stdout").isatty():
        raise UsageError("a picture is not written to a terminal", "redirect it, or name a file with -o")
    watch = Stopwatch()
    outcomes = [refused(refusal) for refusal in plan.refusals]
    with ExitStack() as stack:
        jobs, manifest = plan.jobs, None
        if batch.manifest is not None:
            from restore_cli.manifest import Manifest

            manifest = Manifest(batch.manifest, {"files": _settings_of(request.files), "command": settings()})
            known = stack.enter_context(manifest).sort(jobs, retry_failed=batch.retry_failed)
            jobs, outcomes = known.left, [*outcomes, *known.known]
        for outcome in outcomes:
            display.outcome(outcome, alone=len(plan.jobs) == 1)
        interrupted = _run(jobs, load_task, request, display, outcomes, manifest)
    display.summary(outcomes, watch.lap(), passed_over=plan.passed_over, interrupted=interrupted)
    code = INTERRUPTED if interrupted else exit_code_of(outcomes)
    if code:
        raise typer.Exit(code)


def _settings_of(files: FileOptions) -> dict[str, Any]:
    return {"format": files.format, "quality": files.quality, "strip_metadata": files.strip_metadata}


def _run(
    jobs: Sequence[Job],
    load_task: Callable[[], Task],
    request: Request,
    display: Display,
    outcomes: list[Outcome],
    manifest: Manifest | None,
) -> bool:
    """Add the outcome of every job to `outcomes`, until too many failed; return whether the run was interrupted."""
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    allowed = request.batch.failures_allowed
    if not jobs or _is_too_many(failed, allowed, len(jobs), display):
        return False
    from restore_cli.worker import Worker

    files = request.files
    worker = Worker(
        load_task,
        max_pixels=files.max_pixels,
        overwrite=files.overwrite,
        quality=files.quality,
        strip_metadata=files.strip_metadata,
    )
    try:
        with interruption() as interrupted, display.progress(len(jobs)) as progress:
            results = run_jobs(jobs, worker, progress.part, debug=request.report.debug)
            for done, (job, outcome) in enumerate(zip(jobs, results, strict=False), start=1):
                if manifest is not None:
                    manifest.record(job, outcome)
                progress.picture_done()
                outcomes.append(outcome)
                display.outcome(outcome, alone=len(jobs) == 1)
                failed += outcome.status == "failed"
                left = len(jobs) - done
                if outcome.ends_run and left:
                    display.note(f"stopped: no other picture can be written either, {left} left undone")
                if interrupted() or outcome.ends_run or _is_too_many(failed, allowed, left, display):
                    break
            return interrupted()
    except KeyboardInterrupt:
        return True


def _is_too_many(failed: int, allowed: int | None, left: int, display: Display) -> bool:
    """Tell whether a batch must stop, and tell the user so where that leaves pictures undone."""
    if allowed is None or failed <= allowed:
        return False
    if left:
        display.note(f"stopped: {failed} failed, {left} left undone")
    return True


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
