"""Carry a plan out and tell of it; the same for every command that restores pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from restore_cli.batch import Outcome, Stopwatch, exit_code_of, failure, name_of_source, refused, run_jobs
from restore_cli.cli.interruption import INTERRUPTED, interruption
from restore_cli.cli.options import OutputOptions, ReportOptions
from restore_cli.display import Display
from restore_cli.errors import RestoreError, UsageError
from restore_cli.planning import Job, Plan, plan_jobs

if TYPE_CHECKING:
    from restore_cli.task import Task


def plan_session(inputs: list[str], output: OutputOptions, suffix: str) -> Plan:
    """Plan what the user named; `suffix` tells the results of the command from its inputs.

    Raises:
        UsageError: as `plan_jobs` does.
    """
    return plan_jobs(
        inputs,
        output=output.output,
        suffix=suffix,
        format_name=output.format,
        recursive=output.recursive,
        overwrite=output.overwrite,
    )


OutputSize = Callable[[int, int], tuple[int, int] | None]
"""Returns height and width of the result of a picture; None if it is to be left alone."""


def run_session(
    plan: Plan,
    load_task: Callable[[], Task],
    output: OutputOptions,
    report: ReportOptions,
    display: Display,
    output_size: OutputSize = lambda height, width: (height, width),
) -> None:
    """Run all jobs of `plan` with the task, which is loaded only if there is work for it.

    `output_size` tells what a dry run needs to know of the task.

    Raises:
        UsageError: results and reports would both go to standard output.
        typer.Exit: something failed or was interrupted; it carries the exit code.
    """
    to_stdout = any(job.target is None for job in plan.jobs)
    if report.json and to_stdout and not report.dry_run:
        raise UsageError(
            "--json and the picture cannot both go to standard output", "write the picture to a file with -o"
        )
    if report.dry_run:
        _show_plan(plan, output, display, output_size)
        return
    if to_stdout and typer.get_text_stream("stdout").isatty():
        raise UsageError("a picture is not written to a terminal", "redirect it, or name a file with -o")
    outcomes = [refused(refusal) for refusal in plan.refusals]
    for outcome in outcomes:
        display.outcome(outcome, alone=False)
    watch = Stopwatch()
    interrupted = _run(plan, load_task, output, report, display, outcomes)
    display.summary(outcomes, watch.lap(), passed_over=plan.passed_over, interrupted=interrupted)
    code = INTERRUPTED if interrupted else exit_code_of(outcomes)
    if code:
        raise typer.Exit(code)


def _run(
    plan: Plan,
    load_task: Callable[[], Task],
    output: OutputOptions,
    report: ReportOptions,
    display: Display,
    outcomes: list[Outcome],
) -> bool:
    """Add the outcome of every job to `outcomes`; return whether the user interrupted the run."""
    if not plan.jobs:
        return False
    from restore_cli.worker import Worker

    worker = Worker(
        load_task,
        max_pixels=output.max_pixels,
        overwrite=output.overwrite,
        quality=output.quality,
        strip_metadata=output.strip_metadata,
    )
    try:
        with interruption() as interrupted, display.progress(len(plan.jobs)) as progress:
            for outcome in run_jobs(plan.jobs, worker, progress.part, debug=report.debug):
                progress.picture_done()
                outcomes.append(outcome)
                display.outcome(outcome, alone=len(plan.jobs) == 1)
                if interrupted():
                    break
            return interrupted()
    except KeyboardInterrupt:
        return True


def _show_plan(plan: Plan, output: OutputOptions, display: Display, output_size: OutputSize) -> None:
    outcomes = [refused(refusal) for refusal in plan.refusals]
    for outcome in outcomes:
        display.outcome(outcome, alone=False)
    for job in plan.jobs:
        source, target = name_of_source(job), str(job.target or "-")
        if job.target is not None and job.target.exists() and not output.overwrite:
            display.planned(source, target, "skip, it exists")
            continue
        error = _foreseen_error(job, output, output_size)
        if error is None:
            display.planned(source, target, "restore")
        else:
            display.planned(source, target, "fail")
            display.error(error)
            outcomes.append(failure(job, error))
    code = exit_code_of(outcomes)
    if code:
        raise typer.Exit(code)


def _foreseen_error(job: Job, output: OutputOptions, output_size: OutputSize) -> RestoreError | None:
    """Return why a picture cannot be restored, as far as its header tells."""
    if job.source is None or job.format is None:
        return None
    from restore_cli.picture.reading import measure_picture
    from restore_cli.picture.writing import check_size

    try:
        size = output_size(*measure_picture(job.source, max_pixels=output.max_pixels))
        if size is not None:
            check_size(size[1], size[0], job.format)
    except RestoreError as error:
        return error
    return None
