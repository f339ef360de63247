"""What `--dry-run` shows: what a run would do, as far as headers tell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import typer

from restore_cli.batch.judging import Verdict
from restore_cli.batch.outcome import Outcome, failure, left_alone, name_of_source, passed_by, refused, skipped_if_there
from restore_cli.batch.planning import Job, Plan
from restore_cli.batch.sources import STANDARD_STREAM
from restore_cli.batch.totals import add_up
from restore_cli.cli.options import FileOptions
from restore_cli.display import Display
from restore_cli.errors import RestoreError, UnwritablePictureError
from restore_cli.files.naming import shown
from restore_cli.summary import other_files
from restore_cli.tasks.sizing import OutputSize

Judge = Callable[[Job], Verdict]
"""Tells what is known of a job already."""


def show_plan(plan: Plan, files: FileOptions, display: Display, output_size: OutputSize, judge: Judge) -> None:
    """Tell what would become of each picture, on standard output.

    Raises:
        typer.Exit: something would fail.
    """
    outcomes = [refused(refusal) for refusal in plan.refusals]
    for outcome in outcomes:
        display.outcome(outcome, alone=False)
    now, kinds = time.time(), Counter[str](outcome.status for outcome in outcomes)
    for result in plan.earlier_results:
        outcome = passed_by(result)
        kinds[outcome.status] += 1
        display.planned(outcome.source, outcome.target, outcome)
    for planned in plan.jobs:
        known, job = judge(planned)
        foreseen = (
            known or skipped_if_there(job, overwrite=files.overwrite, began=now) or _foreseen(job, files, output_size)
        )
        source, target = name_of_source(job), str(job.target or STANDARD_STREAM)
        kinds[foreseen.status if foreseen else "left"] += 1
        display.planned(source, target, foreseen)
        if foreseen is not None and foreseen.status == "failed":
            display.error(RestoreError(foreseen.reason, foreseen.hint))
            outcomes.append(foreseen)
    if sum(kinds.values()) > 1 or plan.passed_over:
        others = f", {other_files(plan.passed_over)} passed over" if plan.passed_over else ""
        display.say(f"{kinds['left']} to restore, {kinds['skipped']} to skip, {kinds['failed']} would fail{others}")
    code = add_up(outcomes).exit_code
    if code:
        raise typer.Exit(code)


def _foreseen(job: Job, files: FileOptions, output_size: OutputSize) -> Outcome | None:
    """Return the outcome of a picture that would not be restored, as far as header and folder tell."""
    if job.source is None:
        return None
    from restore_cli.files.replacing import unwritable_folder
    from restore_cli.picture.reading import measure_picture
    from restore_cli.picture.writing import check_size

    try:
        if job.target is not None and (folder := unwritable_folder(job.target)) is not None:
            where = (
                f"{shown(job.target.parent)}: permission denied" if folder.is_dir() else f"{shown(folder)}: no folder"
            )
            raise UnwritablePictureError(f"cannot write to {where}", "name another place with -o")
        height, width = measure_picture(job.source, max_pixels=files.max_pixels)
        size = output_size(height, width)
        if size is None:
            return left_alone(job, height, width)
        if job.format is not None:
            check_size(job.format, *size)
    except RestoreError as error:
        return failure(job, error)
    return None
