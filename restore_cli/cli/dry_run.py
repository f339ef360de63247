"""What `--dry-run` shows: what a run would do, as far as headers tell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import typer

from restore_cli.batch.judging import Verdict
from restore_cli.batch.outcome import Outcome, failure, left_alone, passed_by, planned, refused, skipped_if_there
from restore_cli.batch.planning import Job, Plan
from restore_cli.batch.sources import STANDARD_STREAM
from restore_cli.batch.totals import add_up
from restore_cli.cli.request import Request
from restore_cli.errors import RestoreError, UnwritablePictureError
from restore_cli.files.naming import shown
from restore_cli.summary import other_files
from restore_cli.tasks.sizing import OutputSize

Judge = Callable[[Job], Verdict]
"""Tells what is known of a job already."""


def show_plan(plan: Plan, request: Request, output_size: OutputSize, judge: Judge) -> None:
    """Tell what would become of each picture, on standard output.

    Raises:
        typer.Exit: something would fail.
    """
    display, now = request.display, time.time()
    outcomes = [refused(refusal) for refusal in plan.refusals]
    for outcome in outcomes:
        display.outcome(outcome, alone=False)
    for result in plan.earlier_results:
        outcomes.append(passed_by(result))
        display.planned(outcomes[-1], None)
    for candidate in plan.jobs:
        known, job = judge(candidate)
        known = known or skipped_if_there(job, overwrite=request.files.overwrite, began=now)
        outcomes.append(known or _foresee(job, request, output_size))
        display.planned(outcomes[-1], str(job.target or STANDARD_STREAM))
        if outcomes[-1].status == "failed":
            display.error(RestoreError(outcomes[-1].reason, outcomes[-1].hint))
    copies = sum(outcome.status == "planned" and bool(outcome.reason) for outcome in outcomes)
    kinds = Counter[str](outcome.status for outcome in outcomes)
    if len(outcomes) > 1 or plan.passed_over:
        copied = f"{copies} to copy, " if copies else ""
        others = f", {other_files(plan.passed_over)} passed over" if plan.passed_over else ""
        display.say(
            f"{kinds['planned'] - copies} to restore, {copied}{kinds['skipped']} to skip, "
            f"{kinds['failed']} would fail{others}"
        )
    code = add_up(outcomes).exit_code
    if code:
        raise typer.Exit(code)


def _foresee(job: Job, request: Request, output_size: OutputSize) -> Outcome:
    """Return what would become of a picture, as far as header and folder tell."""
    if job.source is None:
        return planned(job, None, None)
    from restore_cli.files.replacing import unwritable_folder
    from restore_cli.picture.reading import measure_picture
    from restore_cli.picture.writing import check_size

    try:
        if job.target is not None and (folder := unwritable_folder(job.target)) is not None:
            where = (
                f"{shown(job.target.parent)}: permission denied" if folder.is_dir() else f"{shown(folder)}: no folder"
            )
            raise UnwritablePictureError(f"cannot write to {where}", "name another place with -o")
        before = measure_picture(job.source, max_pixels=request.files.max_pixels)
        after = output_size(*before)
        if after is None:
            alone = left_alone(job, *before)
            return planned(job, before, before, alone.reason) if request.copy_rest else alone
        if job.format is not None:
            check_size(job.format, *after)
        return planned(job, before, after)
    except RestoreError as error:
        return failure(job, error)
