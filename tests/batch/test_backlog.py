from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from restore_cli.batch.backlog import Backlog
from restore_cli.batch.planning import Job

FIRST, SECOND = (Job(Path(name), None, None) for name in ("a.png", "b.png"))


def test_jobs_come_one_by_one() -> None:
    backlog = Backlog([FIRST, SECOND])
    assert backlog.count() == 1
    assert backlog.count(10) == 2
    assert [backlog.take(), backlog.take(), backlog.take()] == [FIRST, SECOND, None]
    assert backlog.is_exhausted


def test_a_source_that_had_none_is_asked_again_only_when_told_to() -> None:
    asked = []

    def given() -> Iterator[Job | None]:
        for job in (FIRST, None, None, SECOND):
            asked.append(job)
            yield job

    backlog = Backlog(given())
    assert backlog.count(10) == 1
    assert asked == [FIRST, None]
    assert backlog.take() == FIRST
    for _ in range(5):
        assert backlog.count(10) == 0
        assert backlog.take() is None
    assert asked == [FIRST, None]
    backlog.ask_again()
    assert backlog.take() is None
    assert asked == [FIRST, None, None]
    assert not backlog.is_exhausted
    backlog.ask_again()
    assert backlog.take() == SECOND
