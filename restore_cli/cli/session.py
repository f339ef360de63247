"""Carry a plan out and tell of it; the same for every command that restores pictures."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from restore_cli.batch.outcome import Stopwatch, passed_by, refused
from restore_cli.batch.planning import Job, Plan, Planner
from restore_cli.batch.sources import STANDARD_STREAM, read_list
from restore_cli.cli.checks import check_options, check_records, check_streams
from restore_cli.cli.dry_run import Judge, show_plan
from restore_cli.cli.interruption import interruption
from restore_cli.cli.ledger import Ledger
from restore_cli.cli.options import BatchOptions, FileOptions
from restore_cli.cli.request import Request
from restore_cli.cli.tasks import Load
from restore_cli.cli.worker_pool import WorkerPool
from restore_cli.display import Display
from restore_cli.errors import INTERRUPTED, RestoreError, UsageError
from restore_cli.tasks.sizing import OutputSize, same_size

if TYPE_CHECKING:
    from restore_cli.batch.manifest import Manifest


def run_session(
    request: Request,
    load_task: Load,
    settings: Callable[[], Any],
    *,
    suffix: str,
    facts: Mapping[str, str] | None = None,
    output_size: OutputSize = same_size,
) -> None:
    """Restore what the user named with the task, which is loaded only if there is work for it.

    `settings` returns, fit for JSON, what the command does to a picture; a manifest asks for it. `suffix` tells the
    results of the command from its inputs, `facts` is what a template of `--output` may hold besides an input's own
    name, and `output_size` tells what a dry run needs to know of the task.

    Raises:
        UsageError: nothing was named, options contradict each other, or there is something about the manifest.
        typer.Exit: something failed or was interrupted; it carries the exit code.
    """
    batch, report, display = request.batch, request.report, request.display
    check_options(request)
    if report.report is not None:
        from restore_cli.report.page import check_report

        check_report(report.report)
    planner = _planner(request, suffix, facts)
    arrivals = None
    if batch.watch:
        from restore_cli.cli.arrivals import Arrivals

        arrivals = Arrivals(request, planner)
    plan = planner.plan(*_names(request))
    check_streams(request, plan)
    check_records(request, plan, planner)
    watch = Stopwatch()
    with _open_manifest(request, settings) as manifest:
        if plan.results:
            display.note(_passed_over(plan.results))
        if request.files.quality is not None:
            _tell_idle_quality(plan, display)
        if report.dry_run:
            show_plan(plan, request.files, display, output_size, _judge_by(manifest, batch))
            return
        ledger = Ledger(request, manifest, alone=len(plan.jobs) == 1 and arrivals is None)
        for refusal in plan.refusals:
            ledger.note(refused(refusal))
        for result in plan.results:
            ledger.note(passed_by(result))
        jobs = ledger.sort(plan.jobs)
        later = (
            arrivals.jobs(plan, ledger.left_alone, lambda refusal: ledger.note(refused(refusal))) if arrivals else None
        )
        interrupted = _run(jobs, later, load_task, request, ledger)
    seconds = watch.lap()
    display.summary(
        ledger.totals,
        seconds,
        passed_over=plan.passed_over,
        left=ledger.undone if arrivals is None and (interrupted or ledger.exit_code) else 0,
        interrupted=interrupted,
    )
    code = INTERRUPTED if interrupted else ledger.totals.exit_code or ledger.exit_code
    if report.report is not None:
        of_report = _write_report(report.report, ledger, seconds, display, interrupted=interrupted)
        code = code or of_report
    if code:
        raise typer.Exit(code)


def _open_manifest(request: Request, settings: Callable[[], Any]) -> AbstractContextManager[Manifest | None]:
    """Open the manifest that the user named; a dry run makes none where there is none."""
    path = request.batch.manifest
    if path is None or (request.report.dry_run and not os.path.exists(path)):
        return nullcontext()
    from restore_cli.batch.manifest import Manifest

    return Manifest(path, {"files": _settings_of(request.files), "command": settings()})


def _judge_by(manifest: Manifest | None, batch: BatchOptions) -> Judge:
    if manifest is None:
        return lambda job: (None, job)
    return partial(manifest.judge, retry_failed=batch.retry_failed)


def _write_report(target: Path, ledger: Ledger, seconds: float, display: Display, *, interrupted: bool) -> int:
    """Write the page about the batch; return the exit code for how that went."""
    from restore_cli.report.page import write_report

    try:
        write_report(
            target,
            ledger.outcomes,
            title=shlex.join(["restore", *sys.argv[1:]]),
            seconds=seconds,
            interrupted=interrupted,
        )
    except RestoreError as error:
        display.error(error)
        return error.exit_code
    return 0


def _planner(request: Request, suffix: str, facts: Mapping[str, str] | None) -> Planner:
    files = request.files
    return Planner(
        output=files.output,
        suffix=suffix,
        suffix_override=files.suffix,
        facts=facts,
        format_name=files.format,
        recursive=files.recursive,
        overwrite=files.overwrite,
        shard=request.batch.shard,
        grows=request.batch.watch,
    )


def _names(request: Request) -> tuple[list[str], list[str]]:
    """Return what the user named: in the arguments, and in a list.

    Raises:
        UsageError: that is nothing, or the list cannot be read.
    """
    names, listed, files = list(request.inputs or ()), list[str](), request.files
    if files.from_file is not None:
        if STANDARD_STREAM in names and files.from_file == STANDARD_STREAM:
            raise UsageError("standard input cannot be a picture and a list of pictures", "leave one of the - away")
        listed = read_list(files.from_file, null=files.null)
    elif not names:
        raise UsageError("no pictures were named", "name files, folders or globs, or a list of them with --from-file")
    if "" in names:
        raise UsageError("an empty name names no picture", "in a script, a variable may be empty")
    return names, listed


def _passed_over(results: Sequence[Path]) -> str:
    if len(results) == 1:
        return f"{results[0]} is where the result of another picture goes, so nothing is done to it"
    return f"{results[0]} and {len(results) - 1} more are where results of others go, so nothing is done to them"


def _tell_idle_quality(plan: Plan, display: Display) -> None:
    """Tell of a quality that was asked for where all results are of lossless formats."""
    formats = {job.format for job in plan.jobs if job.format is not None}
    if formats and not any(format.takes_quality for format in formats):
        names = ", ".join(sorted(format.name.upper() for format in formats))
        display.note(f"--quality changes nothing: {names} is lossless")


def _settings_of(files: FileOptions) -> dict[str, Any]:
    return {"format": files.format, "quality": files.quality, "strip_metadata": files.strip_metadata}


def _run(
    jobs: Sequence[Job], later: Iterator[Job | None] | None, load_task: Load, request: Request, ledger: Ledger
) -> bool:
    """Note the outcome of every job, until too many failed; return whether the run was interrupted.

    `later` yields jobs that come while it runs, and None while none comes.
    """
    display = request.display
    ledger.undone = len(jobs)
    try:
        with ExitStack() as stack:
            progress = stack.enter_context(display.progress(len(jobs) if later is None else None))
            pool = WorkerPool(request, load_task, progress.part)
            interrupted = stack.enter_context(interruption(lambda: pool.is_idle))
            tell_of_end = cache(lambda: display.note("finishing what is in hand; Ctrl-C once more stops at once"))

            def stop() -> bool:
                if interrupted():
                    tell_of_end()
                return interrupted() or ledger.is_closed

            for job, outcome in pool.work(jobs, later and _left_to_do(later, ledger), stop):
                if ledger.is_closed and outcome.status == "failed":
                    continue  # it was read ahead, and is left to another run
                ledger.undone -= 1
                progress.picture_done()
                ledger.note(outcome, job)
            if ledger.is_closed and ledger.undone > 0:
                display.note(f"stopped: {ledger.why_closed}, {ledger.undone} left undone")
                ledger.undone = 0  # it is told
            return interrupted()
    except KeyboardInterrupt:
        return True
    except OSError as error:
        if error.filename is not None or not ledger.totals.pictures:
            raise
        display.give_up_standard_output()
        is_closed = isinstance(error, BrokenPipeError)
        told = (
            "nobody reads standard output any more" if is_closed else f"cannot write standard output: {error.strerror}"
        )
        ledger.fail(RestoreError(told), "the others were not begun")
        return False
    except RestoreError as error:
        if request.report.debug or not ledger.totals.pictures:  # there is nothing else to tell
            raise
        ledger.fail(error, "the others cannot be restored")
        return False


def _left_to_do(later: Iterator[Job | None], ledger: Ledger) -> Iterator[Job | None]:
    """Yield of jobs that come those that the manifest does not know, until no more can come."""
    try:
        for job in later:
            yield from ledger.sort([job]) if job is not None else (None,)
    except RestoreError as error:
        ledger.fail(error, "no others can come")
