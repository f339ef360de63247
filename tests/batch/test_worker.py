from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restore_cli.batch.claims import claim_on, claimed
from restore_cli.batch.in_turn import run_in_turn
from restore_cli.batch.outcome import Outcome, refused, skipped_if_there
from restore_cli.batch.planning import Job
from restore_cli.batch.sources import Refusal
from restore_cli.batch.stages import OpenedPicture
from restore_cli.batch.worker import Worker
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.device import Device, Precision
from restore_cli.errors import DeviceError, PictureError, UnreadablePictureError, WeightsError
from restore_cli.memory import GIBIBYTE, MemoryBudget
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.tasks.task import Task
from restore_cli.telling import Progress, Tell


class Inverting:
    """A task that turns white into black."""

    model = "inverting"
    device = "cpu"

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        return None if width == 99 else (height, width)

    def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
        progress(1.0)
        return replace(picture, pixels=255 - picture.pixels), Run(Precision.FP32, 64, ("turned",))


class Leaving(Inverting):
    """A task that finds nothing to do."""

    def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
        return picture, Run(Precision.FP32, None, ("left as it is",), untouched=True)


class Failing(Inverting):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
        raise self.error


def worker(task: Inverting, *, overwrite: bool = False, debug: bool = False) -> Worker:
    config = WorkerConfig(load_task=lambda device, tell: task, max_pixels=10**6, overwrite=overwrite, debug=debug)  # type: ignore[arg-type]
    return Worker(config, print)


def outcomes_of(work: Worker, *jobs: Job) -> list[Outcome]:
    return [outcome for _, outcome in run_in_turn(jobs, work, no_progress, lambda: False)]


def job(source: Path, target: Path | None = None) -> Job:
    return Job(source, target or source.with_name("result.png"), format_by_name("png"))


def no_progress(share: float) -> None: ...


def test_a_picture_is_restored(photo: Path) -> None:
    outcome = worker(Inverting())(job(photo), no_progress)
    assert (outcome.status, outcome.model, outcome.precision, outcome.tile) == ("done", "inverting", "fp32", 64)
    assert (outcome.input_size, outcome.output_size, outcome.scale) == ((45, 37), (45, 37), 1.0)
    assert outcome.notes == ("turned",)
    with Image.open(photo) as before, Image.open(photo.with_name("result.png")) as after:
        assert (np.asarray(after) == 255 - np.asarray(before)).all()


def test_nothing_is_loaded_for_pictures_that_are_done(photo: Path) -> None:
    def refuse() -> Inverting:
        raise AssertionError("the task was loaded")

    photo.with_name("result.png").write_bytes(b"mine")
    outcome = worker(refuse)(job(photo), no_progress)
    assert (outcome.status, outcome.exit_code) == ("skipped", 0)


def test_what_another_run_makes_before_a_claim_is_had_is_left_as_it_is(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def claim_late(target: Path) -> Iterator[None]:
        target.write_bytes(b"theirs")
        yield

    monkeypatch.setattr("restore_cli.batch.worker.claimed", claim_late)
    outcome = worker(Inverting())(job(photo), no_progress)
    assert outcome.status == "skipped"
    assert photo.with_name("result.png").read_bytes() == b"theirs"


def test_a_link_that_leads_nowhere_is_followed_on_request_alone(photo: Path) -> None:
    target, elsewhere = photo.with_name("result.png"), photo.with_name("elsewhere.png")
    target.symlink_to(elsewhere)
    outcome = worker(Inverting())(job(photo), no_progress)
    assert (outcome.status, outcome.exit_code) == ("skipped", 0)
    assert "a link that leads nowhere" in outcome.reason
    assert not elsewhere.exists()
    assert worker(Inverting(), overwrite=True)(job(photo), no_progress).status == "done"
    assert target.is_symlink()
    assert elsewhere.is_file()


@pytest.mark.parametrize(("later", "status"), [(1.5, "skipped"), (3, "done")])
def test_a_contested_picture_that_another_run_has_just_made_is_not_made_again(
    later: float, status: str, photo: Path
) -> None:
    target = photo.with_name("result.png")
    target.write_bytes(b"theirs")
    began = target.stat().st_mtime + later  # the clocks of two machines may be off by a little
    outcome = skipped_if_there(replace(job(photo), contested=True), overwrite=True, began=began)
    assert (outcome.status if outcome else "done") == status


def test_of_the_first_picture_that_is_waited_for_this_is_told(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.batch.in_turn.CONTESTED_PAUSE", 0)
    told: list[str] = []
    tries = iter([False, False, False, False, True, True])
    work = Worker(WorkerConfig(load_task=lambda device, tell: Inverting(), max_pixels=10**6), told.append)  # type: ignore[arg-type,return-value]
    target = photo.with_name("result.png")
    with claimed(target):
        assert list(run_in_turn([job(photo)], work, no_progress, lambda: next(tries))) == []
    assert told == [f"another run has {target} in hand, and is waited for; {claim_on(target)} says so"]


def test_the_task_is_loaded_once(photo: Path) -> None:
    loaded = []

    def load(device: Device, tell: Tell) -> Inverting:
        loaded.append(Inverting())
        return loaded[-1]

    work = Worker(WorkerConfig(load_task=load, max_pixels=10**6, overwrite=True), print)
    for _ in range(3):
        (outcome,) = outcomes_of(work, job(photo))
        assert outcome.status == "done"
    assert len(loaded) == 1


@pytest.mark.parametrize(("device", "alone", "sharers"), [("cpu", True, 4), ("cuda:0", False, 4), ("cuda:0", True, 1)])
def test_a_worker_whose_companions_are_not_begun_has_the_machine_to_itself(
    device: str, alone: bool, sharers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str, host_memory: MemoryBudget, tell: Tell = print) -> Device:
        return Device(torch.device(name), has_bf16=False, host_memory=host_memory)

    def load(device: Device, tell: Tell) -> Inverting:
        given.append(device)
        return task

    given: list[Device] = []
    threads: list[int | None] = []
    monkeypatch.setattr("restore_cli.batch.worker.find_device", find)
    monkeypatch.setattr("restore_cli.batch.worker.prepare_host", threads.append)
    monkeypatch.setattr("restore_cli.batch.worker.host_threads", lambda: 16)
    task = Inverting()
    task.device = device
    memory = MemoryBudget(GIBIBYTE, 4)
    config = WorkerConfig(load_task=load, max_pixels=1, threads=4, device=device, memory=memory, alone_off_host=alone)
    work = Worker(config, print)
    assert work.task is task
    assert given == [find(device, MemoryBudget(GIBIBYTE, sharers))]
    assert work._memory == given[0].host_memory
    assert threads == ([4, 16] if sharers == 1 else [4])


def test_a_picture_to_be_left_alone_is_skipped(tmp_path: Path) -> None:
    Image.new("L", (99, 5)).save(tmp_path / "wide.png")
    outcome = worker(Inverting())(job(tmp_path / "wide.png"), no_progress)
    assert (outcome.status, outcome.reason) == ("skipped", "it is large enough already (99x5)")
    assert not (tmp_path / "result.png").exists()


@pytest.mark.parametrize(("quality", "copied"), [(None, True), (95, False)])
def test_a_picture_whose_pixels_stay_is_copied_unless_its_file_shall_change(
    quality: int | None, copied: bool, tmp_path: Path
) -> None:
    photo, target = tmp_path / "photo.jpg", tmp_path / "out" / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)).save(photo, quality=60)
    config = WorkerConfig(load_task=lambda device, tell: Leaving(), max_pixels=99, quality=quality)  # type: ignore[arg-type]
    outcome = Worker(config, print)(Job(photo, target, format_by_name("jpeg")), no_progress)
    assert (outcome.status, outcome.output_size) == ("done", (9, 8))
    assert (target.read_bytes() == photo.read_bytes()) is copied
    said = "its file was copied" if copied else "it was stored again, as JPEG of quality 95"
    assert outcome.notes == ("left as it is", said)


def test_a_picture_whose_pixels_stay_is_made_upright_and_gets_the_format_of_its_name(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (9, 8), "grey").save(photo, exif=turned)
    work = worker(Leaving())
    for target in (tmp_path / "upright.jpg", tmp_path / "other.png"):
        assert work(Job(photo, target, format_by_name(target.suffix[1:])), no_progress).status == "done"
        with Image.open(target) as image:
            assert (image.format, image.size) == ("JPEG" if target.suffix == ".jpg" else "PNG", (8, 9))


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_picture_to_be_left_alone_is_copied_on_request(ending: str, tmp_path: Path) -> None:
    Image.new("L", (99, 5)).save(tmp_path / "wide.png")
    target = tmp_path / "out" / f"wide.{ending}"
    config = WorkerConfig(load_task=lambda device, tell: Inverting(), max_pixels=999, copy_rest=True)  # type: ignore[arg-type]
    outcome = Worker(config, print)(Job(tmp_path / "wide.png", target, format_by_name(ending)), no_progress)
    assert (outcome.status, outcome.target, outcome.output_size) == ("done", str(target), (99, 5))
    assert outcome.notes == ("it is large enough already, and was copied",)
    assert (target.read_bytes() == (tmp_path / "wide.png").read_bytes()) is (ending == "png")
    with Image.open(target) as image:
        assert (image.format, image.size) == ("PNG" if ending == "png" else "JPEG", (99, 5))


@pytest.mark.parametrize(
    ("error", "code"),
    [(PictureError("no", "try"), 1), (DeviceError("full"), 4), (MemoryError(), 4)],
)
def test_what_goes_wrong_with_a_picture_is_its_outcome(error: Exception, code: int, photo: Path) -> None:
    (outcome,) = outcomes_of(worker(Failing(error)), job(photo))
    assert (outcome.status, outcome.exit_code, outcome.model) == ("failed", code, "inverting")
    assert outcome.reason
    assert not photo.with_name("result.png").exists()


def test_an_unforeseen_error_fails_its_picture_alone(photo: Path) -> None:
    work = worker(Failing(ZeroDivisionError("odd")))
    outcomes = outcomes_of(work, job(photo), job(photo))
    assert [outcome.reason for outcome in outcomes] == ["internal error: ZeroDivisionError: odd"] * 2
    with pytest.raises(ZeroDivisionError):
        outcomes_of(worker(Failing(ZeroDivisionError("odd")), debug=True), job(photo))


def test_a_lack_of_threads_is_no_internal_error(photo: Path) -> None:
    (outcome,) = outcomes_of(worker(Failing(RuntimeError("can't start new thread"))), job(photo))
    assert (outcome.reason, outcome.exit_code) == ("the system gives no more threads", 4)


def test_the_traceback_of_an_error_is_printed_where_the_user_debugs(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for debug in (False, True):
        work = worker(Failing(KeyError("odd")), debug=debug)
        with pytest.raises(KeyError) as caught:
            work(job(photo), no_progress)
        assert work.failed(job(photo), caught.value).status == "failed"
        said = capsys.readouterr().err
        assert ("Traceback" in said and "in restore\n" in said) is debug


def test_weights_that_cannot_be_loaded_are_no_pictures_fault() -> None:
    def load(device: Device, tell: Tell) -> Task:
        raise WeightsError("missing")

    with pytest.raises(WeightsError):
        Worker(WorkerConfig(load_task=load, max_pixels=10**6), print)


def test_what_the_format_loses_is_noted(photo: Path) -> None:
    with Image.open(photo) as image:
        image.putalpha(200)
        image.save(photo)
    target = photo.with_name("x.ppm")
    outcome = worker(Inverting())(Job(photo, target, format_by_name("ppm")), no_progress)
    assert outcome.notes == ("turned", "PPM holds no transparency, so the picture lies on white")


def test_a_refusal_is_a_failure_with_its_hint() -> None:
    outcome = refused(Refusal("x.png", UnreadablePictureError("gone", "look")))
    assert (outcome.source, outcome.status, outcome.reason, outcome.hint) == ("x.png", "failed", "gone", "look")
    record = outcome.record()
    assert (record["error"], record["reason"], record["hint"]) == ("gone", None, "look")


def test_an_opened_picture_knows_its_bytes(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 10)).save(tmp_path / "a.png")
    opened = worker(Inverting()).open(job(tmp_path / "a.png"))
    assert isinstance(opened, OpenedPicture)
    assert opened.bytes == 20 * 10 * (4 + 3)
    opened.give_up()
