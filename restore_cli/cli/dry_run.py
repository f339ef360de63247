"""What `--dry-run` shows: what a run would do, as far as headers tell."""

from __future__ import annotations

from collections.abc import Callable

import typer

from restore_cli.batch import failure, name_of_source, refused
from restore_cli.cli.options import FileOptions
from restore_cli.display import Display
from restore_cli.errors import RestoreError
from restore_cli.planning import Job, Plan
from restore_cli.totals import add_up

OutputSize = Callable[[int, int], tuple[int, int] | None]
"""Returns height and width of the result of a picture; None if it is to be left alone."""


def show_plan(plan: Plan, files: FileOptions, display: Display, output_size: OutputSize) -> None:
    """Tell what would become of each picture, on standard output.

    Raises:
        typer.Exit: something would fail.
    """
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
    code = add_up(outcomes).exit_code
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
