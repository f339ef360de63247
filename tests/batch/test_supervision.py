from __future__ import annotations

import errno
import importlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image

from restore_cli.batch.backlog import Backlog
from restore_cli.batch.claims import claimed, words_on_waiting
from restore_cli.batch.outcome import Outcome
from restore_cli.batch.planning import Job
from restore_cli.batch.supervision import DEATHS_AT_BEGINNING, Supervisor
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.batch.worker_deaths import death_of, found_written
from restore_cli.batch.worker_handle import WorkerHandle
from restore_cli.batch.worker_process import Finish, JobContested, SupervisorLink, WorkerFailed
from restore_cli.errors import DeviceError, RestoreError, WeightsError
from restore_cli.picture.formats import format_by_name

PLANTED = """
import os, signal, sys, time
from pathlib import Path
from restore_cli.errors import DeviceError, WeightsError
from restore_cli.restorer import Run

class Planted:
    '''Leaves pictures as they are, but does at certain widths what no task should.'''
    model, device = "planted", "cpu"

    def __init__(self, crash_at_read=0, crash_at_run=0, number=signal.SIGSEGV, seconds=0.0, marks=None, company=1):
        self.crash_at_read, self.crash_at_run, self.number = crash_at_read, crash_at_run, number
        self.seconds, self.marks, self.company = seconds, marks, company

    def output_size(self, height, width):
        if width == self.crash_at_read:
            os.kill(os.getpid(), self.number)
        return height, width

    def __call__(self, picture, progress):
        if self.marks:
            Path(self.marks, f"{picture.width}.{os.getpid()}.{time.monotonic_ns()}").touch()
        while self.company > 1 and len({name.split(".")[1] for name in os.listdir(self.marks)}) < self.company:
            time.sleep(0.05)  # until so many workers are at work
        progress(0.5)
        if picture.width == self.crash_at_run:
            os.kill(os.getpid(), self.number)
        time.sleep(self.seconds)
        return picture, Run("fp32", None)

def load(device, tell, **settings):
    tell("loaded")
    return Planted(**settings)

def load_once(device, tell, mark, **settings):
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        raise DeviceError("the card is busy", "use another")
    return load(device, tell, **settings)

def refuse(device, tell):
    raise WeightsError("missing", "fetch them")

def die(device, tell):
    os.kill(os.getpid(), signal.SIGABRT)

def stumble(device, tell):
    raise ZeroDivisionError("odd")
"""

Load = Callable[..., Any]


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that workers can import."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"planted_{os.getpid()}.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path / "code")
    return importlib.import_module(f"planted_{os.getpid()}")


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    found = []
    for index in range(8):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (10 + index, 8), (index, 0, 0)).save(path)
        found.append(Job(path, tmp_path / "out" / path.name, format_by_name("png")))
    return found


class Planting:
    """Supervises workers with planted tasks, and remembers what it is told."""

    def __init__(self, load: Load, workers: int = 1, **settings: Any) -> None:
        from functools import partial

        config = {"load_task": partial(load, **settings), "max_pixels": 10**6, "began": time.time()}
        self.told: list[str] = []
        self.shares: list[float] = []
        self.supervisor = Supervisor(
            [WorkerConfig(**config) for _ in range(workers)],
            tell=self.told.append,
            progress=self.shares.append,
        )

    def run(self, jobs: Any, stop: Callable[[], bool] = lambda: False) -> dict[Job, Outcome]:
        found: dict[Job, Outcome] = {}
        with closing(self.supervisor.run(jobs, stop)) as results:
            for job, outcome in results:
                assert job not in found
                found[job] = outcome
        return found


class Aborted:
    """A worker's process that is at its end already."""

    exitcode = -signal.SIGABRT

    def join(self) -> None: ...


@pytest.fixture
def begun(planted: Any) -> Planting:
    """Two workers of which one has begun, as far as their supervisor knows."""
    planting = Planting(planted.load, workers=2)
    planting.supervisor._has_begun = True
    return planting


def add_aborted(planting: Planting) -> WorkerHandle:
    """Let the last of the workers be one that was aborted."""
    supervisor = planting.supervisor
    handle = WorkerHandle(supervisor._configs[-1], Aborted(), SpawnContext().Pipe()[0])  # type: ignore[arg-type]
    supervisor._workers.append(handle)
    return handle


def statuses(found: dict[Job, Outcome]) -> list[str]:
    return [outcome.status for _, outcome in sorted(found.items(), key=lambda item: str(item[0].source))]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_workers_share_the_jobs(planted: Any, jobs: list[Job], tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    planting = Planting(planted.load, workers=2, marks=str(marks), company=2)
    assert statuses(planting.run(jobs)) == ["done"] * 8
    assert planting.told == ["loaded"]  # by both of them
    assert names_in(tmp_path / "out") == [f"{index}.png" for index in range(8)]
    processes = {name.split(".")[1] for name in names_in(marks)}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


@pytest.mark.parametrize("stage", ["crash_at_read", "crash_at_run"])
def test_a_worker_that_crashes_fails_the_picture_in_its_hand(
    stage: str, planted: Any, jobs: list[Job], tmp_path: Path
) -> None:
    found = Planting(planted.load, **{stage: 13}).run(jobs)
    assert statuses(found) == ["done"] * 3 + ["failed"] + ["done"] * 4
    failed = found[jobs[3]]
    assert failed.reason == "its worker crashed (SIGSEGV)"
    assert failed.exit_code == 1
    assert names_in(tmp_path / "out") == [f"{index}.png" for index in range(8) if index != 3]


def test_a_worker_that_is_killed_says_that_memory_may_be_short(planted: Any, jobs: list[Job]) -> None:
    found = Planting(planted.load, crash_at_run=10, number=9).run(jobs[:2])
    assert statuses(found) == ["failed", "done"]
    assert "killed (SIGKILL), probably because memory ran out" in found[jobs[0]].reason


def test_a_result_that_nobody_lived_to_tell_of_is_done(planted: Any, jobs: list[Job], tmp_path: Path) -> None:
    job, began = jobs[0], time.time() - 1
    assert found_written(job, began) is None
    (tmp_path / "out").mkdir()
    Image.new("RGB", (40, 32)).save(job.target)
    outcome = found_written(job, began)
    assert outcome is not None
    assert (outcome.status, outcome.input_size, outcome.output_size, outcome.scale) == ("done", (10, 8), (40, 32), 4.0)
    assert outcome.notes == ("its worker died when it had written the result",)
    assert found_written(job, time.time() + 60) is None  # it was there before
    job.target.write_bytes(b"no picture")  # type: ignore[union-attr]
    assert found_written(job, began) is None


def test_the_result_of_a_picture_as_it_was_before_is_not_that_of_the_change(begun: Planting, jobs: list[Job]) -> None:
    """It came during the run, and its worker dies of what the picture is now."""
    job, handle = replace(jobs[0], replaces=True), add_aborted(begun)
    assert job.target is not None
    job.target.parent.mkdir()
    Image.new("RGB", (40, 32)).save(job.target)
    written = (time.time() + handle.config.began) / 2
    os.utime(job.target, (written, written))
    handle.give(job)
    assert list(begun.supervisor._settle_dead(handle)) == []
    assert list(begun.supervisor._suspects) == [job]


def test_weights_that_are_missing_end_the_run(planted: Any, jobs: list[Job]) -> None:
    with pytest.raises(WeightsError) as caught:
        Planting(planted.refuse).run(jobs)
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == ("missing", "fetch them", 3)


def test_a_later_worker_that_cannot_begin_is_done_without(planted: Any, jobs: list[Job], tmp_path: Path) -> None:
    planting = Planting(planted.load_once, workers=2, mark=str(tmp_path / "loaded"), seconds=0.3)
    assert statuses(planting.run(jobs)) == ["done"] * 8
    assert planting.told == ["loaded", "the card is busy; the other workers go on"]


def test_the_last_of_the_workers_that_cannot_begin_ends_the_run(begun: Planting) -> None:
    failed = WorkerFailed(DeviceError("the card is busy"))
    assert list(begun.supervisor._understand(add_aborted(begun), failed)) == []
    assert begun.told == ["the card is busy; the other workers go on"]
    with pytest.raises(DeviceError, match="the card is busy"):
        list(begun.supervisor._understand(add_aborted(begun), failed))


def test_a_worker_that_the_system_has_no_room_for_is_done_without_if_there_are_others(
    begun: Planting, planted: Any, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(context: SpawnContext) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(SpawnContext, "Pipe", fail)
    message = "a worker cannot be started: Too many open files"
    begun.supervisor._hand_out(Backlog(jobs), stopping=False)
    assert begun.told == [f"{message}; the other workers go on"]
    with pytest.raises(RestoreError, match=message):
        begun.supervisor._hand_out(Backlog(jobs), stopping=False)
    with pytest.raises(RestoreError, match=message):
        Planting(planted.load, workers=2).run(jobs)


def test_a_worker_that_never_comes_to_life_is_done_without_if_there_are_others(begun: Planting) -> None:
    for _ in range(DEATHS_AT_BEGINNING):
        assert list(begun.supervisor._settle_dead(add_aborted(begun))) == []
    assert begun.told == ["its worker crashed (SIGABRT); the other workers go on"]
    for _ in range(DEATHS_AT_BEGINNING - 1):
        assert list(begun.supervisor._settle_dead(add_aborted(begun))) == []
    with pytest.raises(RestoreError, match="SIGABRT"):
        list(begun.supervisor._settle_dead(add_aborted(begun)))


def test_a_task_that_stumbles_at_loading_ends_the_run_in_one_line(planted: Any, jobs: list[Job]) -> None:
    with pytest.raises(RestoreError, match="internal error: ZeroDivisionError: odd"):
        Planting(planted.stumble).run(jobs)


def test_workers_that_never_come_to_life_end_the_run(planted: Any, jobs: list[Job]) -> None:
    assert DEATHS_AT_BEGINNING == 3
    with pytest.raises(RestoreError, match="SIGABRT"):
        Planting(planted.die).run(jobs)


def test_a_worker_that_dies_before_it_takes_its_end_of_the_line_is_noticed(
    planted: Any, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows its supervisor has that end open until then; a copy of it stands in here."""
    pipe, kept, asked = SpawnContext.Pipe, list[int](), list[bool]()

    def keep_one_end(context: SpawnContext) -> Any:
        ours, theirs = pipe(context)
        kept.append(os.dup(theirs.fileno()))
        return ours, theirs

    def stop() -> bool:
        workers = multiprocessing.active_children()
        for worker in workers:
            worker.kill()
        asked.append(bool(workers) or any(asked))
        assert len(asked) < 100, "the run hangs"
        return asked[-1]

    monkeypatch.setattr(SpawnContext, "Pipe", keep_one_end)
    assert Planting(planted.load).run(jobs, stop) == {}
    os.close(*kept)


def test_stopping_finishes_what_is_in_the_network(planted: Any, jobs: list[Job], tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    found = Planting(planted.load, marks=str(marks), seconds=1.5).run(jobs, stop=lambda: any(marks.iterdir()))
    assert statuses(found) == ["done"]
    assert names_in(tmp_path / "out") == ["0.png"]


def test_stopping_abandons_what_was_read_ahead_though_all_jobs_are_handed_out(begun: Planting) -> None:
    ours, theirs = SpawnContext().Pipe()
    handle = WorkerHandle(begun.supervisor._configs[0], Aborted(), ours, wants_job=True)  # type: ignore[arg-type]
    begun.supervisor._workers.append(handle)
    for stopping in (False, False, True, True):
        begun.supervisor._hand_out(Backlog([]), stopping)
    ours.close()
    assert [theirs.recv(), theirs.recv()] == [Finish(abandons=False), Finish(abandons=True)]
    with pytest.raises(EOFError):
        theirs.recv()


def test_a_worker_that_has_all_jobs_still_hears_what_to_abandon(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipeline:
        is_abandoned = False

        def abandon(self) -> None:
            self.is_abandoned = True

    def end(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    ours, theirs = SpawnContext().Pipe()
    ours.send(Finish(abandons=False))
    ours.send(Finish(abandons=True))
    ours.close()
    pipeline = Pipeline()
    with pytest.raises(SystemExit):
        SupervisorLink(theirs).listen(pipeline)  # type: ignore[arg-type]
    assert pipeline.is_abandoned


def test_closing_kills_and_leaves_whole_files_alone(planted: Any, jobs: list[Job], tmp_path: Path) -> None:
    supervising = Planting(planted.load, seconds=0.5).supervisor
    results = supervising.run(jobs, lambda: False)
    job, outcome = next(results)
    workers = multiprocessing.active_children()
    results.close()
    assert len(workers) == 1
    assert workers[0].exitcode == -signal.SIGKILL
    assert (job, outcome.status) == (jobs[0], "done")
    for name in names_in(tmp_path / "out"):
        with Image.open(tmp_path / "out" / name) as image:
            image.load()


def test_a_picture_that_changed_in_a_workers_hand_is_done_once_more_behind_it(planted: Any, jobs: list[Job]) -> None:
    again = replace(jobs[0], replaces=True)
    found = Planting(planted.load, workers=2, seconds=0.5).run([jobs[0], again])
    assert list(found) == [jobs[0], again]
    assert [outcome.status for outcome in found.values()] == ["done", "done"]


def test_jobs_may_come_later(planted: Any, jobs: list[Job]) -> None:
    def given() -> Iterator[Job | None]:
        yield jobs[0]
        for _ in range(5):
            yield None
        yield jobs[1]

    assert statuses(Planting(planted.load).run(given())) == ["done", "done"]


def test_a_picture_that_another_run_has_in_hand_is_waited_for(planted: Any, jobs: list[Job]) -> None:
    """It is given up by the other run while this one waits, and then restored here."""
    with claimed(jobs[0].target):  # type: ignore[arg-type]
        results = Planting(planted.load).supervisor.run(jobs[:2], lambda: False)
        assert next(results)[0] == jobs[1]
    ((job, outcome),) = list(results)
    assert (job.source, outcome.status) == (jobs[0].source, "done")


def test_of_the_first_picture_that_is_waited_for_again_this_is_told(begun: Planting, jobs: list[Job]) -> None:
    handle = add_aborted(begun)
    for job in jobs[:2]:
        assert list(begun.supervisor._understand(handle, JobContested(job))) == []
    assert begun.told == []
    for job in jobs[:2]:
        assert list(begun.supervisor._understand(handle, JobContested(replace(job, contested=True)))) == []
    assert begun.told == [words_on_waiting(jobs[0].target)]  # type: ignore[arg-type]


def test_a_picture_that_another_run_makes_is_not_made_twice(planted: Any, jobs: list[Job]) -> None:
    with claimed(jobs[0].target):  # type: ignore[arg-type]
        results = Planting(planted.load).supervisor.run(jobs[:2], lambda: False)
        assert next(results)[0] == jobs[1]
        jobs[0].target.write_bytes(b"the other's")  # type: ignore[union-attr]
    ((job, outcome),) = list(results)
    assert (job.source, outcome.status, outcome.reason) == (
        jobs[0].source,
        "skipped",
        "another run has just made it",
    )
    assert job.target.read_bytes() == b"the other's"  # type: ignore[union-attr]


@pytest.mark.parametrize(("code", "text"), [(1, "ended with code 1"), (-11, "SIGSEGV"), (-200, "signal 200")])
def test_how_a_worker_died_is_told(code: int, text: str) -> None:
    assert text in death_of(code).message
