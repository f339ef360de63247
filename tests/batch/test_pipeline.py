from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from restore_cli.batch.claims import claimed
from restore_cli.batch.outcome import Outcome
from restore_cli.batch.pipeline import MOST_AHEAD, ByteSemaphore, Pipeline, Reservation
from restore_cli.batch.planning import Job
from restore_cli.batch.worker import Worker
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.errors import DeviceError, PictureError, RestoreError, WeightsError
from restore_cli.files.replacing import TEMPORARY_PREFIX, TEMPORARY_SUFFIX
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.tasks.task import Task
from restore_cli.telling import Progress


class Passing:
    """A task that leaves pictures as they are, after `before` was called."""

    model = "passing"
    device = "cpu"

    def __init__(self, before: Callable[[Picture], None] = lambda picture: None) -> None:
        self.before = before

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
        self.before(picture)
        progress(1.0)
        return picture, Run("fp32", None)


class Heard:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.outcomes: dict[Job, Outcome] = {}
        self.contests: list[Job] = []
        self.shares: list[float] = []

    def progress(self, job: Job, share: float) -> None:
        self.shares.append(share)

    def outcome(self, job: Job, outcome: Outcome) -> None:
        assert job not in self.outcomes
        self.outcomes[job] = outcome

    def contested(self, job: Job) -> None:
        self.contests.append(job)


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    found = []
    for index in range(6):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (8 + index, 8), (index, 0, 0)).save(path)
        found.append(Job(path, tmp_path / "out" / path.name, format_by_name("png")))
    return found


def pipeline(task: Task, heard: Heard, **config: object) -> Pipeline:
    options = {"load_task": lambda device, tell: task, "max_pixels": 10**6} | config
    return Pipeline(Worker(WorkerConfig(**options), print), heard)  # type: ignore[arg-type]


def test_every_job_has_an_outcome_and_nothing_else_is_left(jobs: list[Job]) -> None:
    heard = Heard()
    jobs[2].source.write_bytes(b"no picture")  # type: ignore[union-attr]
    jobs[4].source.unlink()  # type: ignore[union-attr]
    pipeline(Passing(), heard).run(jobs)
    assert {job.target.name: outcome.status for job, outcome in heard.outcomes.items()} == {  # type: ignore[union-attr]
        "0.png": "done",
        "1.png": "done",
        "2.png": "failed",
        "3.png": "done",
        "4.png": "failed",
        "5.png": "done",
    }
    assert sorted(path.name for path in jobs[0].target.parent.iterdir()) == ["0.png", "1.png", "3.png", "5.png"]  # type: ignore[union-attr]
    assert heard.shares == [1.0] * 4


def test_reading_and_writing_go_on_beside_the_network(jobs: list[Job]) -> None:
    """While the third picture is in the network, the first is written and the fourth is read."""
    third, heard = threading.Event(), Heard()

    def given() -> Iterator[Job]:
        for index, job in enumerate(jobs):
            if index == 4:  # is asked for once the fourth was read
                third.set()
            yield job

    def wait(picture: Picture) -> None:
        if picture.width == 10:
            assert third.wait(20)
            deadline = time.monotonic() + 20
            while jobs[0] not in heard.outcomes:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    pipeline(Passing(wait), heard).run(given())
    assert len(heard.outcomes) == 6
    assert {outcome.status for outcome in heard.outcomes.values()} == {"done"}


def test_a_picture_that_fails_in_the_network_fails_alone(jobs: list[Job]) -> None:
    def fail(picture: Picture) -> None:
        if picture.width == 9:
            raise PictureError("odd")
        if picture.width == 10:
            raise ZeroDivisionError("odder")

    heard = Heard()
    pipeline(Passing(fail), heard).run(jobs)
    reasons = [heard.outcomes[job].reason for job in jobs]
    assert reasons == ["", "odd", "internal error: ZeroDivisionError: odder", "", "", ""]


class Grouping(Passing):
    """A task that takes pictures in company, and fails those that are red beyond 2."""

    def __init__(self, before: Callable[[Picture], None] = lambda picture: None) -> None:
        super().__init__(before)
        self.groups: list[int] = []

    def group_size(self, height: int, width: int) -> int:
        return 3 if width == 8 else 1

    def restore_group(self, pictures: Sequence[Picture]) -> list[tuple[Picture, Run] | RestoreError]:
        self.groups.append(len(pictures))
        if pictures[0].pixels[0, 0, 0] > 100:
            raise DeviceError("too many")
        return [
            PictureError("odd") if picture.pixels[0, 0, 0] == 2 else (picture, Run("fp32", None))
            for picture in pictures
        ]


@pytest.fixture
def alike(tmp_path: Path) -> Callable[[list[tuple[int, int]]], list[Job]]:
    def draw(pictures: list[tuple[int, int]]) -> list[Job]:
        found = []
        for index, (width, red) in enumerate(pictures):
            path = tmp_path / f"alike{index}.png"
            Image.new("RGB", (width, 8), (red, 0, 0)).save(path)
            found.append(Job(path, tmp_path / "out" / path.name, format_by_name("png")))
        return found

    return draw


def grouped(jobs: list[Job]) -> tuple[list[int], Heard]:
    """Return in groups of how many pictures go, and what became of them.

    All are read before the first, of another size, has left the network: so the groups are certain.
    """
    all_read, heard = threading.Event(), Heard()

    def given() -> Iterator[Job]:
        yield from jobs
        all_read.set()

    task = Grouping(lambda picture: None if all_read.wait(20) else pytest.fail("it waits for ever"))
    pipeline(task, heard).run(given())
    return task.groups, heard


def test_pictures_of_one_size_go_through_the_network_together(
    alike: Callable[[list[tuple[int, int]]], list[Job]],
) -> None:
    jobs = alike([(9, 0), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (9, 6), (8, 7)])
    groups, heard = grouped(jobs)
    assert groups == [3, 2]
    assert [heard.outcomes[job].status for job in jobs] == ["done", "done", "failed", *["done"] * 5]
    assert heard.outcomes[jobs[2]].reason == "odd"


def test_pictures_of_one_size_and_another_depth_go_alone(
    alike: Callable[[list[tuple[int, int]]], list[Job]],
) -> None:
    jobs = alike([(9, 0), (8, 1), (8, 3), (8, 4)])
    Image.new("I;16", (8, 8), 300).save(jobs[3].source)  # type: ignore[arg-type]
    groups, heard = grouped(jobs)
    assert groups == [2]
    assert {outcome.status for outcome in heard.outcomes.values()} == {"done"}


def test_pictures_that_cannot_go_together_go_alone(alike: Callable[[list[tuple[int, int]]], list[Job]]) -> None:
    jobs = alike([(9, 0), (8, 200), (8, 3)])
    groups, heard = grouped(jobs)
    assert groups == [2]
    assert {outcome.status for outcome in heard.outcomes.values()} == {"done"}


def test_what_another_run_has_in_hand_is_told(jobs: list[Job]) -> None:
    heard = Heard()
    with claimed(jobs[1].target):  # type: ignore[arg-type]
        pipeline(Passing(), heard).run(jobs)
    assert heard.contests == [jobs[1]]
    assert jobs[1] not in heard.outcomes
    assert len(heard.outcomes) == 5


def test_abandoning_leaves_what_was_not_begun(jobs: list[Job]) -> None:
    heard = Heard()
    reached = threading.Event()

    def given() -> Iterator[Job]:
        yield from jobs[:5]
        reached.set()  # five are read, or on their way

    def abandon(picture: Picture) -> None:
        assert reached.wait(20)
        line.abandon()

    line = pipeline(Passing(abandon), heard)
    line.run(given())
    assert [outcome.status for outcome in heard.outcomes.values()] == ["done"]
    assert [path.name for path in jobs[0].target.parent.iterdir()] == ["0.png"]  # type: ignore[union-attr]


def test_an_error_of_who_gives_the_jobs_ends_the_run(jobs: list[Job]) -> None:
    def given() -> Iterator[Job]:
        yield jobs[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pipeline(Passing(), Heard()).run(given())


def test_an_error_of_who_hears_the_outcomes_ends_the_run(jobs: list[Job], tmp_path: Path) -> None:
    class Deaf(Heard):
        def outcome(self, job: Job, outcome: Outcome) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pipeline(Passing(), Deaf(), in_flight=1).run(jobs)
    assert not list((tmp_path / "out").glob(".*")), "claims are given up"


def test_a_task_that_cannot_be_loaded_is_no_fault_of_a_picture(jobs: list[Job]) -> None:
    def load(device: object, tell: object) -> Task:
        raise WeightsError("missing")

    with pytest.raises(WeightsError):
        pipeline(Passing(), Heard(), load_task=load).run(jobs)


def test_what_a_dying_run_leaves_later_is_removed_at_the_end(jobs: list[Job]) -> None:
    leftover = jobs[0].target.parent / f"{TEMPORARY_PREFIX}1-2{TEMPORARY_SUFFIX}"  # type: ignore[union-attr]
    pipeline(Passing(lambda picture: leftover.touch()), Heard()).run(jobs)
    assert not leftover.exists()


def test_what_is_on_its_way_is_bounded(jobs: list[Job]) -> None:
    """With room for one picture, the next is read when the one before it is written."""
    heard = Heard()

    def look(picture: Picture) -> None:
        time.sleep(0.05)
        assert len(heard.outcomes) == picture.width - 8

    pipeline(Passing(look), heard, in_flight=1).run(jobs)
    assert {outcome.status for outcome in heard.outcomes.values()} == {"done"}
    assert list(heard.outcomes) == jobs


def test_the_semaphore_lets_a_giant_pass_alone() -> None:
    semaphore, passed = ByteSemaphore(100), threading.Event()
    semaphore.acquire(10)

    def giant() -> None:
        semaphore.acquire(1000)
        passed.set()

    thread = threading.Thread(target=giant)
    thread.start()
    assert not passed.wait(0.1)
    semaphore.release(10)
    assert passed.wait(20)
    thread.join()


def test_small_pictures_take_a_fair_part_of_the_semaphore() -> None:
    semaphore = ByteSemaphore(3200)
    reservations = [Reservation(semaphore) for _ in range(MOST_AHEAD)]
    for reservation in reservations:
        reservation.acquire(1)
    passed, one_more = threading.Event(), Reservation(semaphore)
    waiting = threading.Thread(target=lambda: (one_more.acquire(1), passed.set()), daemon=True)
    waiting.start()
    assert not passed.wait(0.1)
    reservations[0].release()
    assert passed.wait(20)
    for reservation in (*reservations, one_more):
        reservation.release()
        reservation.release()  # does nothing more
    semaphore.acquire(3200)


def test_what_a_picture_turns_out_to_need_is_counted_and_given_back() -> None:
    semaphore, passed = ByteSemaphore(100), threading.Event()
    first, second = Reservation(semaphore), Reservation(semaphore)
    first.acquire(40)
    first.correct(90)
    first.correct(20)  # less than it has
    waiting = threading.Thread(target=lambda: (second.acquire(30), passed.set()), daemon=True)
    waiting.start()
    assert not passed.wait(0.1)
    first.release()
    assert passed.wait(10)
    second.release()
    Reservation(semaphore).acquire(100)
