"""Carry a plan out and tell of it; the same for every command that restores pictures."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from restore_cli.batch.outcome import Stopwatch, passed_by, refused
from restore_cli.batch.planning import Plan, Planner
from restore_cli.cli.checks import check_options, check_records, check_streams
from restore_cli.cli.dry_run import Judge, show_plan
from restore_cli.cli.job_loop import run_jobs
from restore_cli.cli.ledger import Ledger
from restore_cli.cli.request import Request
from restore_cli.cli.tasks import Load
from restore_cli.display import Display
from restore_cli.errors import INTERRUPTED, RestoreError
from restore_cli.files.naming import shown
from restore_cli.summary import Summary
from restore_cli.tasks.sizing import OutputSize, same_size

if TYPE_CHECKING:
    from restore_cli.batch.manifest import Manifest
    from restore_cli.cli.arrivals import Arrivals


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
    check_options(request)
    _check_report(request.report.report)
    planner = request.planner(suffix=suffix, facts=facts)
    arrivals = _watch_folders(request, planner)
    plan = planner.plan(*request.names())
    check_streams(request, plan)
    check_records(request, plan, planner)
    watch = Stopwatch()
    with _open_manifest(request, settings) as manifest:
        _tell_of_plan(plan, request)
        if request.report.dry_run:
            show_plan(plan, request, output_size, _judge_by(manifest, request))
            return
        ledger = Ledger(request, manifest, alone=len(plan.jobs) == 1 and arrivals is None)
        interrupted = _carry_out(plan, arrivals, load_task, request, ledger)
    if arrivals is not None and arrivals.unread:
        request.display.note(f"later came {_describe_unread(arrivals.unread)}")
    code = _conclude(plan, ledger, watch.lap(), request, interrupted=interrupted)
    if code:
        raise typer.Exit(code)


def _carry_out(plan: Plan, arrivals: Arrivals | None, load_task: Load, request: Request, ledger: Ledger) -> bool:
    """Note what becomes of all that was planned, and of what comes later; return whether the run was interrupted."""
    for refusal in plan.refusals:
        ledger.note(refused(refusal))
    for result in plan.earlier_results:
        ledger.note(passed_by(result))
    jobs, later = ledger.sort(plan.jobs), None
    if arrivals is not None:
        later = arrivals.jobs(plan, ledger.left_alone, lambda refusal: ledger.note(refused(refusal)))
    return run_jobs(jobs, later, load_task, request, ledger)


def _conclude(plan: Plan, ledger: Ledger, seconds: float, request: Request, *, interrupted: bool) -> int:
    """Tell what the run came to, on a page, too, if one is asked for; return the exit code."""
    is_cut_short = not request.batch.watch and (interrupted or ledger.exit_code != 0)
    left = ledger.undone if is_cut_short else 0
    request.display.summary(Summary(ledger.totals, seconds, plan.passed_over, left, interrupted))
    code = INTERRUPTED if interrupted else ledger.totals.exit_code or ledger.exit_code
    if request.report.report is not None:
        of_report = _write_report(request.report.report, ledger, seconds, request.display, interrupted=interrupted)
        code = code or of_report
    return code


def _check_report(target: Path | None) -> None:
    if target is not None:
        from restore_cli.report.page import check_report

        check_report(target)


def _watch_folders(request: Request, planner: Planner) -> Arrivals | None:
    if not request.batch.watch:
        return None
    from restore_cli.cli.arrivals import Arrivals

    return Arrivals(request, planner)


def _open_manifest(request: Request, settings: Callable[[], Any]) -> AbstractContextManager[Manifest | None]:
    """Open the manifest that the user named; a dry run makes none where there is none."""
    path, files = request.batch.manifest, request.files
    if path is None or (request.report.dry_run and not os.path.exists(path)):
        return nullcontext()
    from restore_cli.batch.manifest import Manifest

    of_files = {"format": files.format, "quality": files.quality, "strip_metadata": files.strip_metadata}
    return Manifest(path, {"files": of_files, "command": settings()})


def _judge_by(manifest: Manifest | None, request: Request) -> Judge:
    if manifest is None:
        return lambda job: (None, job)
    return partial(manifest.judge, retry_failed=request.batch.retry_failed)


def _write_report(target: Path, ledger: Ledger, seconds: float, display: Display, *, interrupted: bool) -> int:
    """Write the page about the batch; return the exit code for how that went.

    A page that is there tells more than one about a run in which nothing was restored or failed, and is left as it is.
    """
    if not (ledger.totals.done or ledger.totals.failed) and os.path.lexists(target):
        display.note(f"nothing was restored, so the page {shown(target)} is left as it is")
        return 0
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


def _tell_of_plan(plan: Plan, request: Request) -> None:
    """Tell of inputs that are passed by or not read, and of an option that changes nothing."""
    if plan.unread:
        request.display.note(_describe_unread(plan.unread))
    if plan.earlier_results:
        request.display.note(_describe_passed_by(plan.earlier_results))
    if request.files.quality is not None:
        _tell_idle_quality(plan, request.display)


def _describe_unread(unread: Sequence[Path]) -> str:
    count = len(unread)
    what = "1 picture of a kind that is not read" if count == 1 else f"{count:,} pictures of kinds that are not read"
    return f"{what}: {', '.join(sorted({path.suffix.lower() for path in unread}))}"


def _describe_passed_by(results: Sequence[Path]) -> str:
    if len(results) == 1:
        return f"{results[0]} is where the result of another picture goes, so nothing is done to it"
    return f"{results[0]} and {len(results) - 1} more are where results of others go, so nothing is done to them"


def _tell_idle_quality(plan: Plan, display: Display) -> None:
    """Tell of a quality that was asked for where all results are of formats that have none."""
    formats = {job.format for job in plan.jobs if job.format is not None}
    if formats and not any(format.takes_quality for format in formats):
        names = " and ".join(sorted(format.name.upper() for format in formats))
        display.note(f"--quality changes nothing: {names} {'has' if len(formats) == 1 else 'have'} none")
