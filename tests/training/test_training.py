"""A run lowers the loss, ends where it should, and goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from restore_cli.cli.app import run
from restore_cli.networks import build_network
from restore_cli.networks.safmn import SAFMN
from restore_cli.training.recipe import recipe_names

from .conftest import TINY, Train, draw, interrupted_after, reports


def test_a_short_run_lowers_the_loss(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for steps in (1, 120):
        assert train(tmp_path / f"{steps}.safetensors", "--steps", str(steps), "--json") == 0
    first, last = reports(capsys)
    assert (first["step"], last["step"]) == (1, 120)
    assert last["psnr"] > first["psnr"] + 5
    assert last["loss"] < 0.6 * first["loss"]


def test_weights_tell_where_they_come_from_and_run(train: Train, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    assert train(path) == 0
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["recipe"] == TINY
    assert (metadata["network"], metadata["steps"], metadata["seed"]) == ("safmn", "8", "3")
    assert metadata["data"] == "photographs (24 photographs)"
    assert build_network(load_file(path)).scale == 2
    assert path.with_suffix(".png").stat().st_size > 1000


def test_several_folders_follow_one_option(photographs: Path, train: Train, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        shutil.copytree(photographs, folder)
    assert train(tmp_path / "w.safetensors", "--data", *map(str, folders)) == 0
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata()["data"].startswith("photographs, a, b (7")


@pytest.mark.parametrize("kind", ["adamw", "soap"])
def test_a_run_that_was_cut_off_gives_the_weights_of_one_that_was_not(
    train: Train, recipe_file: Path, tmp_path: Path, kind: str
) -> None:
    recipe_file.write_text(TINY.replace("[optimiser]", f'[optimiser]\nkind = "{kind}"'))
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    assert train(whole, "--steps", "24") == 0
    assert train(cut, "--steps", "24", "--interval", "0.01", "--minutes", "0.01") == 2
    with interrupted_after(15):
        assert train(cut, "--steps", "24") == 130
    assert torch.load(cut.with_suffix(".checkpoint"), weights_only=True)["learner"]["step"] == 15
    assert train(cut, "--steps", "24", "--resume") == 0
    states = [
        torch.load(path.with_suffix(".checkpoint"), weights_only=True)["learner"]["average"] for path in (whole, cut)
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_resume_says_what_it_does(
    photographs: Path, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(recipe_file), "--data", str(photographs), "--device", "cpu", "--threads", "1", "--resume"]
    for steps, said in (
        ("2", "w.checkpoint, so it begins at the start"),
        ("2", "nothing is left to do after step 2"),
        ("3", "going on after step 2"),
    ):
        assert run([*words, "-o", str(tmp_path / "w.safetensors"), "--steps", steps]) == 0
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(("of_user", "expected"), [(None, "1"), ("0", "0")])
def test_what_apples_cards_cannot_compute_is_left_to_the_processor_unless_the_user_forbids_it(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_user: str | None, expected: str
) -> None:
    monkeypatch.setenv("PYTORCH_ENABLE_MPS_FALLBACK", of_user or "")  # so that it is as before when the test is over
    if of_user is None:
        monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK")
    assert train(tmp_path / "w.safetensors", "--steps", "1") == 0
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == expected


def test_minutes_end_a_run_too(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    since = time.perf_counter()
    assert train(tmp_path / "w.safetensors", "--minutes", "0.03", "--json") == 0
    assert time.perf_counter() - since < 30
    assert reports(capsys)[-1]["seconds"] >= 1.8


def test_inputs_of_pairs_are_left_aside_where_the_size_changes(train: Train, tmp_path: Path) -> None:
    for name, side in (("low", 20), ("high", 40)):
        (tmp_path / "pairs" / name).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(draw(side, side, index)).save(tmp_path / "pairs" / name / f"{index}.png")
    assert train(tmp_path / "w.safetensors", "--steps", "1", data=tmp_path / "pairs") == 0


def test_weights_start_from_others(
    train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert train(first, "--steps", "100") == 0
    recipe_file.write_text(TINY.replace("rate = 1e-2", "rate = 1e-4"))
    assert train(second, "--steps", "1", "--start", str(first), "--json") == 0
    assert train(tmp_path / "c.safetensors", "--steps", "1", "--json") == 0
    begun, tuned, fresh = reports(capsys)
    assert (begun["step"], begun["loss"]) == (0, None)
    assert min(begun["psnr"], tuned["psnr"]) > fresh["psnr"] + 10
    other = tmp_path / "other.safetensors"
    save_file({"nothing": torch.zeros(3)}, other)
    assert train(tmp_path / "d.safetensors", "--start", str(other)) == 2
    assert "no tensor that fits" in capsys.readouterr().err


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_before_anything_is_written(
    value: float, train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = teacher_of_scale(2, tmp_path), tmp_path / "w.safetensors"
    assert train(output, "--steps", "1") == 0
    written = {file: file.read_bytes() for file in tmp_path.glob("w.*")}
    state = load_file(path)
    state["to_feat.weight"].view(-1)[5] = value
    save_file(state, path)
    assert train(output, "--overwrite", "--start", str(path)) == 3
    recipe_file.write_text(taught_by(path))
    assert train(output, "--overwrite") == 3
    said = capsys.readouterr().err
    assert said.count(f"error: the weights {path} hold values that are infinite or no numbers, in to_feat.weight") == 2
    assert said.count("hint: take others") == 2
    assert {file: file.read_bytes() for file in tmp_path.glob("w.*")} == written


@pytest.mark.parametrize("scale", [2, 4])
def test_a_teacher_is_learned_from(
    scale: int, train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe_file.write_text(taught_by(teacher_of_scale(scale, tmp_path)))
    for steps in (1, 60):
        assert train(tmp_path / f"{steps}.safetensors", "--steps", str(steps), "--json") == 0
    first, last = reports(capsys)
    assert last["loss"] < 0.5 * first["loss"]


def test_a_teacher_of_a_smaller_scale_is_refused(
    train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = teacher_of_scale(3, tmp_path)
    recipe_file.write_text(taught_by(teacher).replace("scale = 2", "scale = 4").replace("factor = 2", "factor = 4"))
    assert train(tmp_path / "w.safetensors") == 2
    assert "makes pictures 3 times as large" in capsys.readouterr().err


def teacher_of_scale(scale: int, folder: Path) -> Path:
    """Write a network of random weights, which makes something of every picture that can be learned."""
    torch.manual_seed(1)
    path = folder / "teacher.safetensors"
    save_file(SAFMN(dim=8, n_blocks=1, upscaling_factor=scale).state_dict(), path)
    return path


def taught_by(teacher: Path) -> str:
    """Return the tiny recipe with a teacher and nothing else to learn from."""
    text = TINY.replace("seed = 3", f'seed = 3\nteacher = "{teacher}"')
    return text.replace("l1 = 1.0\nfft = 0.05", "l1 = 0.0\nteacher = 1.0")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "w.safetensors exists"),
        (("--steps", "3", "--minutes", "1"), 2, "contradict"),
        (("--start", "none.safetensors"), 3, "there is no weights file"),
        (("--start", "safmn-4x"), 2, "no model is called"),
        (("--device", "cuda:7"), 4, "not present"),
        (("--validation", "nowhere"), 2, "there is no folder nowhere"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "w.safetensors"
    output.write_bytes(b"mine")
    assert train(output, *arguments, *(("--overwrite",) if arguments else ())) == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert output.read_bytes() == b"mine"


def test_a_link_that_leads_nowhere_is_not_followed(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "otter.png").symlink_to(tmp_path / "nowhere.png")
    assert train(tmp_path / "otter.safetensors") == 2
    assert "otter.png exists" in capsys.readouterr().err


def test_nothing_is_replaced_by_a_run_that_has_nothing_to_go_on_from(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, picture = tmp_path / "w.safetensors", tmp_path / "otter.png"
    for path in (weights, picture):
        path.write_bytes(b"mine")
    assert train(weights, "--resume") == 2
    assert "there is no checkpoint" in capsys.readouterr().err
    for arguments in ((), ("--resume",)):
        assert train(tmp_path / "otter.safetensors", *arguments) == 2
        assert "otter.png exists" in capsys.readouterr().err
    assert weights.read_bytes() == picture.read_bytes() == b"mine"


def test_a_checkpoint_of_another_recipe_or_damaged_is_refused(
    train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "w.safetensors"
    assert train(output, "--steps", "2") == 0
    recipe_file.write_text(TINY.replace("seed = 3", "seed = 4"))
    assert train(output, "--resume") == 2
    assert "another recipe" in capsys.readouterr().err
    recipe_file.write_text(TINY)
    checkpoint = output.with_suffix(".checkpoint")
    whole = torch.load(checkpoint, weights_only=True)
    torch.save(whole | {"learner": {"step": 2}}, checkpoint)
    assert train(output, "--resume") == 3
    torch.save(whole | {"learner": {"recipe": TINY}}, checkpoint)
    assert train(output, "--resume") == 3
    assert capsys.readouterr().err.count("cannot read the checkpoint") == 2
    checkpoint.write_bytes(b"PK nonsense")
    assert train(output, "--resume") == 3
    said = capsys.readouterr().err
    assert "cannot read the checkpoint" in said
    assert "--overwrite" in said


def test_a_loss_that_explodes_ends_the_run_in_a_line(
    train: Train, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe_file.write_text(TINY.replace("rate = 1e-2", "rate = 1e30"))
    assert train(tmp_path / "w.safetensors") == 2
    assert "loss is not finite" in capsys.readouterr().err


def test_recipes_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--list"]) == 0
    listed = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == recipe_names()
    assert run(["train", "--list", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["name"] for record in records] == listed
    assert all(record["summary"] for record in records)
    assert run(["train", listed[0], "--show"]) == 0
    assert f'name = "{listed[0]}"' in capsys.readouterr().out
    assert run(["train"]) == 2
    assert run(["train", listed[0]]) == 2
    assert "--data" in capsys.readouterr().err


def test_a_library_that_cannot_be_imported_is_told_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr("restore_cli.training.plot", raising=False)
    monkeypatch.setitem(sys.modules, "restore_cli.training.plot", None)
    assert run(["train", recipe_names()[0], str(tmp_path), "-o", str(tmp_path / "w.safetensors")]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "training needs a library that cannot be imported: import of restore_cli.training.plot halted" in error
    assert hint == "hint: pip install 'restore-cli[train]'"


def test_listing_imports_nothing_heavy() -> None:
    program = (
        "import sys; from restore_cli.cli.app import run; run(['train', '--list']);"
        "sys.exit(str({'torch', 'numpy', 'matplotlib'} & set(sys.modules) or 0))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "0"
