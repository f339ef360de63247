"""A run goes on as it began, or says what is different; what it replaces is gone."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from restore_cli.cli.app import run
from restore_cli.networks.safmn import SAFMN
from restore_cli.training import preparation
from restore_cli.training.learner import Learner

from .conftest import Train, draw, reports


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with three more pictures."""
    folder = tmp_path / "others"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(draw(40, 48, 50 + index)).save(folder / f"{index}.png")
    return folder


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def test_a_run_that_is_replaced_is_not_gone_on_with(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "w.safetensors"
    assert train(output, "--steps", "2") == 0

    def die(*arguments: Any) -> None:
        raise KeyboardInterrupt

    assert train(output, "--overwrite", "--start", "none.safetensors") == 3
    assert output.with_suffix(".checkpoint").exists()
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", die)
        assert train(output, "--steps", "2", "--overwrite") == 130
    assert train(output, "--resume") == 2
    assert "there is no checkpoint" in capsys.readouterr().err


def test_two_runs_do_not_write_to_one_output(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to("runs")
    learn, codes = Learner.learn, []

    def learn_while_others_start(self: Learner, share: float) -> tuple[float, int]:
        if not codes:
            codes.append(None)
            for folder, arguments in (("runs", ("--overwrite",)), ("link", ("--resume",)), ("runs/../runs", ())):
                codes.append(train(tmp_path / folder / "w.safetensors", "--steps", "1", *arguments))
        return learn(self, share)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", learn_while_others_start)
        assert train(tmp_path / "runs" / "w.safetensors", "--steps", "2") == 0
    assert codes == [None, 2, 2, 2]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6
    assert said[0] == f"error: another run is training {tmp_path / 'runs' / 'w.safetensors'}"
    assert said[1] == "hint: wait until it has ended, or name another file with -o"
    assert metadata_of(tmp_path / "runs" / "w.safetensors")["steps"] == "2"
    assert len(list((tmp_path / "runs").iterdir())) == 3
    assert train(tmp_path / "runs" / "w.safetensors", "--steps", "3", "--resume") == 0


def test_a_run_keeps_the_start_that_it_began_with(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start, output = tmp_path / "start.safetensors", tmp_path / "w.safetensors"
    assert train(start, "--steps", "1") == 0
    assert train(output, "--steps", "2", "--start", str(start)) == 0
    assert train(output, "--steps", "3", "--resume", "--start", str(output)) == 2
    assert f"began with {start}, not with {output}" in capsys.readouterr().err
    assert train(start, "--steps", "3", "--resume", "--start", str(output)) == 2
    assert f"began with new weights, not with {output}" in capsys.readouterr().err
    assert train(start, "--steps", "3", "--resume", "--start", "none") == 2
    assert "began with new weights, not with none" in capsys.readouterr().err
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for steps, spelling in (("3", "./start.safetensors"), ("4", "link/start.safetensors")):
        assert train(output, "--steps", steps, "--resume", "--start", spelling) == 0
    start.unlink()
    for steps, arguments in (("40", ()), ("80", ("--start", str(start)))):
        assert train(output, "--steps", steps, "--resume", *arguments) == 0
        assert metadata_of(output)["start"] == str(start)


def test_the_start_is_known_by_what_it_names_and_not_by_its_spelling(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = SAFMN(dim=8, n_blocks=1, upscaling_factor=2).state_dict()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_file(state, tmp_path / folder / "start.safetensors")
    output = tmp_path / "w.safetensors"
    monkeypatch.chdir(tmp_path / "a")
    assert train(output, "--steps", "1", "--start", "./start.safetensors") == 0
    monkeypatch.chdir(tmp_path / "b")
    assert train(output, "--steps", "2", "--resume", "--start", "./start.safetensors") == 2
    began = (tmp_path / "a" / "start.safetensors").resolve()
    assert f"began with {began}, not with ./start.safetensors" in capsys.readouterr().err
    assert train(output, "--steps", "2", "--resume", "--start", "../a/start.safetensors") == 0
    assert train(output, "--steps", "1", "--overwrite", "--start", "safmn-x2") == 0
    assert train(output, "--steps", "2", "--resume", "--start", "SAFMN-x2") == 0
    assert train(output, "--steps", "3", "--resume", "--start", "safmn-x4") == 2


def test_weights_that_are_begun_with_are_the_first_best(
    train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, output = tmp_path / "start.safetensors", tmp_path / "w.safetensors"
    assert train(start, "--steps", "40") == 0
    recipe_file.write_text(recipe_file.read_text().replace("rate = 1e-2", "rate = 1.0"))
    assert train(output, "--steps", "3", "--start", str(start), "--json") == 0
    begun, spoilt = reports(capsys)
    assert (begun["step"], begun["loss"], spoilt["step"]) == (0, None, 3)
    assert spoilt["psnr"] < begun["psnr"]
    assert metadata_of(output)["steps"] == "0"
    states = [load_file(path) for path in (start, output)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_other_photographs_are_told_of(
    photographs: Path, recipe_file: Path, others: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "w.safetensors"

    def go_on(steps: int, data: Path, validation: Path) -> str:
        folders = ["--data", str(data), "--validation", str(validation)]
        words = ["train", str(recipe_file), *folders, "--device", "cpu", "--threads", "1", "--resume"]
        assert run([*words, "-o", str(output), "--steps", str(steps)]) == 0
        return capsys.readouterr().err

    assert "than before" not in go_on(1, photographs, others) + go_on(2, photographs, others)
    (photographs / "00.png").rename(photographs / "more" / "moved.png")
    assert "other photographs to learn from" in go_on(30, photographs, others)
    assert metadata_of(output)["data"] == "photographs (26 photographs), then photographs (26 photographs)"
    said = go_on(31, photographs / "more", photographs / "more" / ".." / ".." / "others")
    assert "other photographs to learn from" in said
    assert "other pictures to validate with" not in said


def test_the_best_of_another_validation_does_not_count(
    train: Train, photographs: Path, others: Path, tmp_path: Path
) -> None:
    output, checkpoint = tmp_path / "w.safetensors", tmp_path / "w.checkpoint"
    assert train(output, "--steps", "1", "--validation", str(others)) == 0
    state = torch.load(checkpoint, weights_only=True)
    torch.save(state | {"best": 99.0}, checkpoint)
    assert train(output, "--steps", "2", "--resume", "--validation", str(others)) == 0
    assert metadata_of(output)["steps"] == "1"
    assert train(output, "--steps", "3", "--resume", "--validation", str(photographs / "more")) == 0
    assert metadata_of(output)["steps"] == "3"
    assert torch.load(checkpoint, weights_only=True)["best"] < 99


def test_a_start_that_hardly_fits_is_told_of(
    photographs: Path, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = SAFMN(dim=8, n_blocks=1, upscaling_factor=2).state_dict()
    part = {"to_feat.weight": whole["to_feat.weight"]}
    start, output = tmp_path / "start.safetensors", tmp_path / "w.safetensors"
    words = ["train", str(recipe_file), "--data", str(photographs), "--device", "cpu", "--threads", "1"]
    for state, said in (
        (whole, f"{len(whole)} of {len(whole)} tensors"),
        (part, f"only 1 of {len(whole)} tensors fit"),
    ):
        save_file(state, start)
        arguments = ["-o", str(output), "--steps", "1", "--start", str(start), "--overwrite"]
        assert run([*words, *arguments]) == 0
        assert said in capsys.readouterr().err


def test_a_disk_without_room_is_told_of_in_the_words_of_the_system(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert train(tmp_path / "w.safetensors", "--steps", "1") == 1
    assert "w.safetensors: No space left on device" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("w.")]


@pytest.mark.parametrize("where", ["collect", "learn", "load_state"])
def test_a_lack_of_memory_is_told_in_a_line(
    where: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory")

    output = tmp_path / "w.safetensors"
    assert where != "load_state" or train(output, "--steps", "1") == 0
    monkeypatch.setattr(preparation if where == "collect" else Learner, where, refuse)
    assert train(output, "--steps", "2", "--resume") == 4
    said = capsys.readouterr().err
    assert "too little memory" in said
    assert "patches.batch" in said


def test_folders_whose_names_are_no_text_do_not_end_a_run(train: Train, photographs: Path, tmp_path: Path) -> None:
    named = photographs.rename(tmp_path / "caf\udce9")
    output = tmp_path / "w.safetensors"
    assert train(output, "--steps", "1", data=named) == 0
    assert metadata_of(output)["data"] == "caf\\udce9 (24 photographs)"


def test_mistakes_are_told_before_photographs_are_read(
    train: Train, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("photographs are read")

    monkeypatch.setattr(preparation, "collect", refuse)
    output, teacher, text = tmp_path / "w.safetensors", tmp_path / "teacher.safetensors", recipe_file.read_text()
    recipe_file.write_text(text.replace("dim = 8", "dim = -8"))
    assert train(output, "--start", "none.safetensors", data=tmp_path / "nowhere") == 2
    assert "there is no folder" in capsys.readouterr().err
    assert train(output, "--start", "none.safetensors") == 2
    assert "safmn cannot be built" in capsys.readouterr().err
    save_file({"nothing": torch.zeros(3)}, teacher)
    recipe_file.write_text(text.replace("l1 = 1.0", "teacher = 1.0").replace("seed = 3", f'teacher = "{teacher}"'))
    assert train(output) == 3
    assert f"{teacher}: " in capsys.readouterr().err
