"""Carry a plan out and tell of it; the same for every command that restores pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from restore_cli.batch import Outcome, Stopwatch, exit_code_of, name_of_source, refused, run_jobs
from restore_cli.cli.interruption import INTERRUPTED, interruption
from restore_cli.cli.options import BatchOptions, FileOptions, ReportOptions
from restore_cli.display import Display
from restore_cli.errors import UsageError
from restore_cli.planning import Plan, plan_jobs
from restore_cli.sources import STANDARD_STREAM, read_list

if TYPE_CHECKING:
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


def run_session(plan: Plan, load_task: Callable[[], Task], request: Request, display: Display) -> None:
    """Run all jobs of `plan` with the task, which is loaded only if there is work for it.

    Raises:
        UsageError: results and reports would both go to standard output.
        typer.Exit: something failed or was interrupted; it carries the exit code.
    """
    to_stdout = any(job.target is None for job in plan.jobs)
    if request.report.json and to_stdout and not request.report.dry_run:
        raise UsageError(
            "--json and the picture cannot both go to standard output", "write the picture to a file with -o"
        )
    if request.report.dry_run:
        _show_plan(plan, request.files, display)
        return
    if to_stdout and typer.get_text_stream("stdout").isatty():
        raise UsageError("a picture is not written to a terminal", "redirect it, or name a file with -o")
    outcomes = [refused(refusal) for refusal in plan.refusals]
    for outcome in outcomes:
        display.outcome(outcome, alone=False)
    watch = Stopwatch()
    interrupted = _run(plan, load_task, request, display, outcomes)
    display.summary(outcomes, watch.lap(), passed_over=plan.passed_over, interrupted=interrupted)
    code = INTERRUPTED if interrupted else exit_code_of(outcomes)
    if code:
        raise typer.Exit(code)


def _run(
    plan: Plan, load_task: Callable[[], Task], request: Request, display: Display, outcomes: list[Outcome]
) -> bool:
    """Add the outcome of every job to `outcomes`, until too many failed; return whether the run was interrupted."""
    failed = len(outcomes)
    allowed = request.batch.failures_allowed
    if not plan.jobs or _is_too_many(failed, allowed, len(plan.jobs), display):
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
        with interruption() as interrupted, display.progress(len(plan.jobs)) as progress:
            for done, outcome in enumerate(
                run_jobs(plan.jobs, worker, progress.part, debug=request.report.debug), start=1
            ):
                progress.picture_done()
                outcomes.append(outcome)
                display.outcome(outcome, alone=len(plan.jobs) == 1)
                failed += outcome.status == "failed"
                if interrupted() or _is_too_many(failed, allowed, len(plan.jobs) - done, display):
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


def _show_plan(plan: Plan, files: FileOptions, display: Display) -> None:
    for refusal in plan.refusals:
        display.outcome(refused(refusal), alone=False)
    for job in plan.jobs:
        exists = job.target is not None and job.target.exists() and not files.overwrite
        display.planned(name_of_source(job), str(job.target or "-"), "skip, it exists" if exists else "restore")
    code = exit_code_of(refused(refusal) for refusal in plan.refusals)
    if code:
        raise typer.Exit(code)
