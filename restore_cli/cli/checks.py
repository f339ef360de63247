"""Options that contradict each other, or what is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from restore_cli.batch.planning import Plan, Planner
from restore_cli.catalog import names_file
from restore_cli.cli.request import Request
from restore_cli.errors import UsageError


def check_options(request: Request) -> None:
    """Refuse options that contradict each other, or are empty."""
    batch, report = request.batch, request.report
    names = {
        "-o": request.files.output,
        "--from-file": request.files.from_file,
        "--manifest": batch.manifest,
        "--report": report.report,
    }
    empty = next((option for option, name in names.items() if name in ("", Path())), None)
    if empty is not None:
        raise UsageError(f"{empty} names no file", "in a script, a variable may be empty")
    if report.quiet and report.verbose:
        raise UsageError("--quiet and --verbose contradict each other", "give one of them")
    if batch.fail_fast and batch.max_failures is not None:
        raise UsageError("--fail-fast and --max-failures contradict each other", "give one of them")
    if request.files.null and request.files.from_file is None:
        raise UsageError("-0 tells how names in a list end, and there is no list", "name it with --from-file")
    if batch.retry_failed and batch.manifest is None:
        raise UsageError("--retry-failed does not know what failed", "name the manifest of that run with --manifest")
    if batch.devices is not None and request.engine.device != "auto":
        raise UsageError("--device and --devices contradict each other", "give one of them")
    devices = len((batch.devices or "").split(","))
    if batch.workers is not None and batch.workers < devices:
        raise UsageError(f"--workers {batch.workers} leaves some of {devices} --devices idle", "give one for each")


def check_key(key: str | None, models: Iterable[str | None]) -> None:
    """Refuse a `--key` where none of the `models` is a file that has one."""
    if key is not None and not any(model is not None and names_file(model) for model in models):
        raise UsageError("--key is for a weights file, and no model is one", "leave it out, or name the file")


def check_streams(request: Request, plan: Plan) -> None:
    """Refuse standard input and output that cannot be what the jobs make of them."""
    report = request.report
    if report.json and sys.__stdout__ is None:
        raise UsageError("standard output is closed, and the records of --json go there", "redirect it to a file")
    if report.dry_run:
        return
    if any(job.source is None for job in plan.jobs) and sys.stdin.isatty():
        raise UsageError("a picture is not read from a terminal", "redirect one: restore upscale - -o - < IN > OUT")
    if all(job.target is not None for job in plan.jobs):
        return
    if sys.__stdout__ is None:
        raise UsageError("standard output is closed, and the picture should go there", "name a file with -o")
    if report.json:
        raise UsageError(
            "--json and the picture cannot both go to standard output", "write the picture to a file with -o"
        )
    if sys.stdout.isatty():
        raise UsageError("a picture is not written to a terminal", "redirect it, or name a file with -o")


def check_records(request: Request, plan: Plan, planner: Planner) -> None:
    """Refuse a report or a manifest that would take the place of a picture, or of each other."""
    records = {"report": request.report.report, "manifest": request.batch.manifest}
    named = {kind: os.path.abspath(path) for kind, path in records.items() if path is not None}
    if len(set(named.values())) < len(named):
        raise UsageError("the report and the manifest are one file", "name another one")
    sources = {os.path.abspath(job.source) for job in plan.jobs if job.source is not None} if named else set()
    for kind, path in named.items():
        if path in sources or planner.makes(Path(path)):
            raise UsageError(f"the {kind} {records[kind]} is one of the pictures", "name another file")
