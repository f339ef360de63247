"""Whether a picture that a manifest knows of is still to be done, and whether that replaces its result."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from restore_cli.batch.outcome import CLOCK_TOLERANCE, Outcome, failure, skipped
from restore_cli.batch.planning import Job
from restore_cli.batch.sources import Stamp, absolute, stamp_of
from restore_cli.errors import RestoreError
from restore_cli.files.hashing import sha256_of

Verdict = tuple[Outcome | None, Job]
"""The outcome of a job that need not be tried, or None; and the job as it is to be done."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """What a manifest says of a picture, by its columns."""

    target: bytes | None
    status: str
    reason: str | None
    settings: str | None
    size: int | None
    modified: int | None
    hash: str | None
    ended: float | None


def judge(job: Job, row: ManifestRow | None, settings: str, *, retry_failed: bool) -> Verdict:
    """Judge a job by what the manifest says of its picture, in a run with these `settings`."""
    if row is None or job.source is None or row.status == "skipped":
        return None, job
    is_ours = row.target == key_of(job.target)
    if row.status == "failed":
        if row.settings == settings and not retry_failed and _is_unchanged(job.source, row):
            error = RestoreError(f"it failed before: {row.reason}", "--retry-failed tries it again")
            return failure(job, error), job
        return None, replace(job, replaces=is_ours and job.target is not None)
    if not is_ours:  # it went somewhere else, and what is there is left alone
        return None, job
    if row.settings is None:
        return None, replace(job, replaces=row.status == "again")
    return _judge_result(job, job.source, row, settings)


def _judge_result(job: Job, source: Path, row: ManifestRow, settings: str) -> Verdict:
    """Judge a job whose result is there already, or should be, according to the manifest."""
    result = stamp_of(job.target) if job.target is not None else None
    if result is None and row.status == "left":
        return None, job
    is_emptied = result is not None and result[0] == 0
    if is_emptied or row.settings != settings or not _is_unchanged(source, row) or _may_be_replaced(result, row):
        return None, replace(job, replaces=True)
    if job.target is not None and result is None:
        return None, job
    return skipped(job, "it was done with these settings before (without --manifest, --overwrite replaces it)"), job


def _may_be_replaced(result: Stamp | None, row: ManifestRow) -> bool:
    """Tell whether a result was to be replaced, and is no more, or may not be, the one of before."""
    return row.status == "again" and (result is None or result[1] > ((row.ended or 0) + CLOCK_TOLERANCE) * 1e9)


def _is_unchanged(path: Path, row: ManifestRow) -> bool:
    """Tell whether a file is what it was; its content counts where only its time differs."""
    now = stamp_of(path)
    if now is None or now == (row.size, row.modified):
        return now is not None
    return now[0] == row.size and row.hash is not None and hash_of(path) == row.hash


def hash_of(path: Path) -> str | None:
    """Return the hash of a file; None where it cannot be read."""
    try:
        return sha256_of(path)
    except OSError:
        return None


def key_of(path: Path | None) -> bytes | None:
    """Return the name of a file as a manifest holds it; None for standard input and output."""
    return os.fsencode(absolute(path)) if path is not None else None
