"""Manifests: what is known of pictures, and what is done again."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from restore_cli.batch.manifest import Manifest, SortedJobs
from restore_cli.batch.outcome import Outcome, Seconds, Status
from restore_cli.batch.planning import Job
from restore_cli.batch.status import read_status
from restore_cli.errors import RestoreError, UsageError

SETTINGS = {"strength": 1.0}


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Three jobs, one of a name that is not UTF-8."""
    made = []
    for name in (b"a.png", b"b.png", b"\xff.png"):
        source = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
        source.write_bytes(name)
        made.append(Job(source, source.with_suffix(".out"), None))
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "manifest"


def outcome_of(job: Job, status: Status = "done") -> Outcome:
    if status == "done" and job.target:
        job.target.write_bytes(b"result")
    reason = "broken" if status == "failed" else ""
    return Outcome(str(job.source), str(job.target), status, reason, seconds=Seconds(1, 1))


def run(
    file: Path,
    jobs: list[Job],
    *statuses: Status,
    settings: Mapping[str, Any] = SETTINGS,
    retry_failed: bool = False,
) -> SortedJobs:
    """Open the manifest, sort the jobs and record the first of what is left with these outcomes."""
    with Manifest(file, settings) as manifest:
        found = manifest.sort(jobs, retry_failed=retry_failed)
        for job, status in zip(found.left, statuses, strict=False):
            manifest.record(job, outcome_of(job, status))
    return found


def test_what_was_done_is_not_done_again(file: Path, jobs: list[Job]) -> None:
    assert run(file, jobs, "done", "done") == SortedJobs(tuple(jobs), ())
    found = run(file, jobs)
    assert found.left == (jobs[2],)
    assert [(known.source, known.status) for known in found.known] == [(str(job.source), "skipped") for job in jobs[:2]]


def test_what_failed_is_tried_again_when_asked_for(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "failed", "done", "done")
    (known, *_) = run(file, jobs).known
    assert (known.status, known.reason, known.exit_code) == ("failed", "it failed before: broken", 1)
    assert run(file, jobs, retry_failed=True).left == (jobs[0],)


def test_a_changed_input_is_done_again(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "done", "failed", "done")
    for job in jobs[:2]:
        assert job.source
        job.source.write_bytes(b"other")
    assert run(file, jobs).left == (replace(jobs[0], replaces=True), jobs[1]), "a failure made nothing to replace"


def test_what_lies_where_a_failure_would_have_gone_is_not_replaced(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "failed")
    job = jobs[0]
    assert job.source
    assert job.target
    job.target.write_bytes(b"by hand")
    assert run(file, [job], retry_failed=True).left == (job,)
    assert run(file, [job], settings={"strength": 0.5}).left == (job,)
    job.source.write_bytes(b"other")
    assert run(file, [job]).left == (job,)


def test_the_result_of_before_is_replaced_when_a_failure_is_mended(file: Path, jobs: list[Job]) -> None:
    job = jobs[0]
    again = replace(job, replaces=True)
    assert job.source
    run(file, [job], "done")
    job.source.write_bytes(b"other")
    assert run(file, [job], "failed").left == (again,)
    job.source.write_bytes(b"mended")
    assert run(file, [job], "done").left == (again,)
    assert run(file, [job]).left == ()


@pytest.mark.parametrize("status", ["done", "failed", "skipped"])
@pytest.mark.parametrize("settings", [SETTINGS, {"strength": 0.5}])
def test_a_result_somewhere_else_gives_no_right_to_what_is_there(
    status: Status, settings: Mapping[str, Any], file: Path, jobs: list[Job], tmp_path: Path
) -> None:
    run(file, jobs, *[status] * 3)
    for job in jobs:
        assert job.target
        elsewhere = replace(job, target=tmp_path / "backup" / job.target.name)
        elsewhere.target.parent.mkdir(exist_ok=True)
        elsewhere.target.write_bytes(b"the only copy")
        assert run(file, [elsewhere], settings=settings, retry_failed=True).left == (elsewhere,)


def test_a_link_that_leads_nowhere_gives_no_right_to_what_it_leads_to_later(
    file: Path, jobs: list[Job], tmp_path: Path
) -> None:
    job = jobs[0]
    assert job.target
    job.target.symlink_to(tmp_path / "elsewhere.png")
    run(file, [job])
    (tmp_path / "elsewhere.png").write_bytes(b"theirs")
    assert run(file, [job], settings={"strength": 0.5}).left == (job,)


def test_a_picture_that_its_result_replaced_is_not_done_twice(file: Path, jobs: list[Job]) -> None:
    job = replace(jobs[0], target=jobs[0].source)
    run(file, [job], "done")
    assert run(file, [job]).left == ()
    assert job.source
    job.source.write_bytes(b"another one")
    assert run(file, [job]).left == (replace(job, replaces=True),)


def test_a_new_time_alone_is_no_change(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "done", "done", "done")
    assert jobs[0].source
    os.utime(jobs[0].source, (1, 1))
    assert run(file, jobs).left == ()
    jobs[0].source.write_bytes(b"b.png")  # as long as before
    assert run(file, jobs).left == (replace(jobs[0], replaces=True),)


def test_other_settings_are_done_again_even_after_a_kill(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "done", "done", "done")
    other = {"strength": 0.5}
    again = tuple(replace(job, replaces=True) for job in jobs)
    assert run(file, jobs, "done", settings=other).left == again
    assert run(file, jobs, settings=other).left == again[1:], "the run was killed after the first"


def test_a_result_that_is_gone_is_made_again(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "done", "done", "done")
    assert jobs[1].target
    jobs[1].target.unlink()
    assert run(file, jobs).left == (jobs[1],)


def test_an_input_that_vanishes_is_recorded(file: Path, jobs: list[Job]) -> None:
    assert jobs[0].source
    with Manifest(file, SETTINGS) as manifest:
        manifest.sort(jobs, retry_failed=False)
        jobs[0].source.unlink()
        manifest.record(jobs[0], outcome_of(jobs[0], "failed"))
    assert read_status(file).failures == ((str(jobs[0].source), "broken"),)


def test_a_picture_that_changes_while_it_is_restored_is_done_again(file: Path, jobs: list[Job]) -> None:
    job = jobs[0]
    assert job.source
    with Manifest(file, SETTINGS) as manifest:
        manifest.sort([job], retry_failed=False)
        job.source.write_bytes(b"other")
        manifest.record(replace(job, contested=True), outcome_of(job))
    assert run(file, [job]).left == (replace(job, replaces=True),)


def test_a_manifest_can_be_read_while_another_run_writes(file: Path, jobs: list[Job]) -> None:
    run(file, jobs, "done")
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    since = time.monotonic()
    assert read_status(file).done == 1
    assert time.monotonic() - since < 5
    writer.close()


def test_standard_input_is_always_done(file: Path) -> None:
    job = Job(None, Path("x.png"), None)
    with Manifest(file, SETTINGS) as manifest:
        manifest.record(job, Outcome("-", "x.png", "done"))
        assert manifest.sort([job], retry_failed=False).left == (job,)


def test_status_counts_and_judges_the_speed(file: Path, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 104.0, 5000.0])
    monkeypatch.setattr("time.time", lambda: next(clock))
    with Manifest(file, SETTINGS) as manifest:
        manifest.sort(jobs, retry_failed=False)
        for job in jobs[:2]:
            manifest.record(job, replace(outcome_of(job), seconds=Seconds(1, 4, 1)))
        found = read_status(file)
        assert (found.done, found.skipped, found.failed, found.left) == (2, 0, 0, 1)
        assert found.pictures_per_second == pytest.approx(1 / 4)
        assert found.seconds_to_go == pytest.approx(4)
        manifest.record(jobs[2], replace(outcome_of(jobs[2]), seconds=Seconds(1, 8, 1)))
    assert read_status(file).pictures_per_second == pytest.approx(2 / (4 + 10)), "there was a pause of an hour"


def test_two_runs_share_a_manifest(file: Path, jobs: list[Job]) -> None:
    with Manifest(file, SETTINGS) as one, Manifest(file, SETTINGS) as other:
        one.sort(jobs[:1], retry_failed=False)
        other.sort(jobs[1:], retry_failed=False)
        one.record(jobs[0], outcome_of(jobs[0]))
        other.record(jobs[1], outcome_of(jobs[1]))
        found = read_status(file)  # while both are open
    assert (found.done, found.left) == (2, 1)


def test_what_is_no_manifest_is_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"something else, and long enough to be looked at")
    with pytest.raises(UsageError, match="cannot use the manifest"):
        Manifest(file)
    other = tmp_path / "other.db"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE t (x)")
    database.close()
    with pytest.raises(UsageError, match="no manifest of this version"):
        Manifest(other)
    with pytest.raises(UsageError, match="cannot use the manifest"):
        Manifest(file / "m")
    Manifest(tmp_path / "new" / "m").__exit__()
    with pytest.raises(UsageError, match="there is no manifest"):
        read_status(tmp_path / "nosuch")


def test_a_result_that_a_killed_run_made_and_did_not_record_counts_as_its_own(file: Path, jobs: list[Job]) -> None:
    run(file, jobs)  # it begins
    for job in jobs[:2]:
        assert job.target
        job.target.write_bytes(b"result")  # and is killed between the end of two pictures and their records
    found = run(file, jobs)
    assert found.left == (jobs[2],)
    assert read_status(file).done == 2
    assert run(file, jobs, settings={"strength": 0.5}).left == tuple(
        replace(job, replaces=job is not jobs[2]) for job in jobs
    )


def test_a_result_that_a_killed_run_may_have_replaced_is_done_again(file: Path, jobs: list[Job]) -> None:
    other = {"strength": 0.5}
    run(file, jobs, "done", "done", "done")
    run(file, jobs, settings=other)  # it begins, and is killed when it has replaced the first
    assert jobs[0].target
    later = time.time() + 10
    os.utime(jobs[0].target, (later, later))
    assert run(file, jobs[:1]).left == (replace(jobs[0], replaces=True),)
    assert run(file, jobs[1:]).left == (), "these were not replaced yet"


def test_what_another_run_does_meanwhile_counts_as_done(file: Path, jobs: list[Job]) -> None:
    with Manifest(file, SETTINGS) as one, Manifest(file, SETTINGS) as other:
        judged = other.judge
        assert judged(jobs[0], retry_failed=False) == (None, jobs[0])
        one.sort(jobs, retry_failed=False)
        one.record(jobs[0], outcome_of(jobs[0]))
        other._note([(os.fsencode(jobs[0].source), None, other.settings, 1, 1)], (), ())  # type: ignore[arg-type]
        other.sort(jobs[1:], retry_failed=False)
        one.record(jobs[1], outcome_of(jobs[1]))
        for job in jobs[:2]:
            other.record(job, outcome_of(job, "skipped"))
    found = read_status(file)
    assert (found.done, found.skipped, found.left) == (2, 0, 1)
    changed = run(file, jobs, settings={"strength": 0.5})
    assert [job.replaces for job in changed.left] == [True, True, False]


def test_results_of_others_stay(file: Path, jobs: list[Job]) -> None:
    assert jobs[0].target
    jobs[0].target.write_bytes(b"result")
    assert run(file, jobs, "skipped").left == tuple(jobs)
    assert run(file, jobs, settings={"strength": 0.5}).left[0] == jobs[0]


@pytest.mark.parametrize("content", [b"x", b"notes of mine", b"SQLite format 3\0 and nothing more"])
def test_a_file_of_another_kind_is_left_as_it_is(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    for open_it in (lambda: Manifest(file), lambda: read_status(file)):
        with pytest.raises(UsageError):
            open_it()
    assert file.read_bytes() == content


def test_asking_for_the_status_writes_nothing(file: Path) -> None:
    file.touch()
    with pytest.raises(UsageError, match="is no manifest"):
        read_status(file)
    assert file.stat().st_size == 0


def test_a_disk_that_fills_is_no_wrong_usage(file: Path, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    with Manifest(file, SETTINGS) as manifest:
        manifest._database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(RestoreError, match="cannot use the manifest") as caught:
            manifest.record(jobs[0], Outcome("a", None, "failed", "b" * 90_000))
    assert caught.value.exit_code == 1
