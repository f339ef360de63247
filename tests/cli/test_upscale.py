"""`restore upscale` as a user drives it; the real network, small pictures."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from restore_cli.catalog import find_card
from restore_cli.cli.app import run
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.networks.safmn_any import SAFMNAny
from restore_cli.places import put_path

Restore = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(photo: Path, here: Path) -> Path:
    """A folder with two pictures, one of them deep inside, a damaged one and a text."""
    inner = here / "folder" / "inner"
    inner.mkdir(parents=True)
    content = photo.read_bytes()
    (inner.parent / "a.png").write_bytes(content)
    (inner.parent / "damaged.png").write_bytes(content[: len(content) // 2])
    (inner.parent / "text.txt").write_text("no picture")
    (inner / "b.png").write_bytes(content)
    return inner.parent


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def stderr_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def open_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_one_picture(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert run(["upscale", str(photo)]) == 0
    assert open_pixels(photo.with_name("photo_x4.png")).shape == (148, 180, 3)
    assert photo.read_bytes() == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "180x148" in captured.err


def test_the_result_looks_like_the_input(photo: Path) -> None:
    run(["upscale", str(photo), "-o", "large.png", "-q"])
    with Image.open(photo) as image:
        plain = np.asarray(image.resize((180, 148), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(open_pixels(Path("large.png")) - plain).mean() < 4


def test_a_second_run_skips_and_overwrite_replaces(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = photo.with_name("photo_x4.png")
    target.write_bytes(b"mine")
    assert run(["upscale", str(photo)]) == 0
    assert target.read_bytes() == b"mine"
    assert "skipped, its target exists" in capsys.readouterr().err
    assert run(["upscale", str(photo), "--overwrite"]) == 0
    assert open_pixels(target).shape == (148, 180, 3)


def test_tiles_leave_no_trace(photo: Path) -> None:
    for precision in ("fp32", "bf16"):
        for tile in ("off", "16"):
            run(
                ["upscale", str(photo), "-q", "--precision", precision, "--tile", tile, "-o", f"{precision}-{tile}.png"]
            )
    assert (open_pixels(Path("bf16-16.png")) == open_pixels(Path("bf16-off.png"))).all()
    difference = np.abs(open_pixels(Path("fp32-16.png")) - open_pixels(Path("fp32-off.png")))
    assert difference.max() <= 1
    assert (difference != 0).mean() <= 0.002


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_pictures_of_any_size(size: tuple[int, int], here: Path) -> None:
    Image.new("RGB", size, (200, 100, 50)).save("tiny.png")
    assert run(["upscale", "tiny.png", "-q", "--tile", "64"]) == 0
    pixels = open_pixels(here / "tiny_x4.png")
    assert pixels.shape == (4 * size[1], 4 * size[0], 3)
    assert np.abs(pixels.mean(axis=(0, 1)) - [200, 100, 50]).max() < 12


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        (["--scale", "2"], "photo_x2.png", (90, 74)),
        (["--scale", "2.7"], "photo_x2.7.png", (122, 100)),
        (["--scale", "1"], "photo_x1.png", (45, 37)),
        (["--scale", "6"], "photo_x6.png", (270, 222)),
        (["--size", "100x100"], "photo_100x100.png", (100, 82)),
        (["--width", "90"], "photo_w90.png", (90, 74)),
        (["--height", "74"], "photo_h74.png", (90, 74)),
        (["--long-edge", "100"], "photo_l100.png", (100, 82)),
    ],
)
def test_scales_and_sizes(options: list[str], name: str, size: tuple[int, int], photo: Path) -> None:
    assert run(["upscale", str(photo), "-q", *options]) == 0
    with Image.open(photo.with_name(name)) as image:
        assert image.size == size


@pytest.fixture
def any_scale(here: Path) -> Path:
    """Weights of a network for any scale, as it is before training."""
    path = here / "any.safetensors"
    save_file(SAFMNAny(dim=8, n_blocks=1).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        ([], "photo_x4.png", (180, 148)),
        (["--scale", "2.7"], "photo_x2.7.png", (122, 100)),
        (["--scale", "1", "--tile", "16"], "photo_x1.png", (45, 37)),
        (["--scale", "5.3", "--strength", "0.5"], "photo_x5.3.png", (238, 196)),
        (["--long-edge", "100", "--tta"], "photo_l100.png", (100, 82)),
    ],
)
def test_weights_for_any_scale(
    options: list[str], name: str, size: tuple[int, int], photo: Path, any_scale: Path
) -> None:
    assert run(["upscale", str(photo), "--model", str(any_scale), "-q", *options]) == 0
    with Image.open(photo) as image:
        plain = np.asarray(image.resize(size, Image.Resampling.BILINEAR)).astype(int)
    result = open_pixels(photo.with_name(name))
    assert result.shape == (size[1], size[0], 3)
    assert np.abs(result - plain).mean() < 3


def test_weights_for_any_scale_do_not_keep_the_size(
    photo: Path, any_scale: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deblur", str(photo), "--model", str(any_scale)]) == 3
    assert stderr_lines(capsys)[-1] == "hint: use restore upscale"


def test_a_scale_without_a_model_of_its_own_is_said(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["upscale", str(photo), "--scale", "3", "--speed", "fast", "--dry-run"])
    assert "note: no x3 model is listed as fast: plainusr-s-x4 runs and its result is reduced" in stderr_lines(capsys)


@pytest.mark.parametrize(
    ("scale", "model"),
    [("1", "safmn-any"), ("2", "safmn-x2"), ("2.7", "safmn-any"), ("4", "safmn-x4"), ("8", "safmn-any")],
)
def test_the_built_in_model_follows_the_scale(
    scale: str, model: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", str(photo), "--scale", scale, "--json"]) == 0
    captured = capsys.readouterr()
    told = records(captured.out)[0]
    assert told["model"] == model
    assert told["scale"] == pytest.approx(float(scale), abs=0.02)  # sides are whole pixels
    assert "reduced" not in captured.err


def test_a_picture_that_is_large_enough_is_left_alone(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "--long-edge", "40", "--json"]) == 0
    captured = capsys.readouterr()
    record = records(captured.out)[0]
    assert (record["status"], record["input_size"]) == ("skipped", [45, 37])
    assert "large enough already (45x37)" in captured.err
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(("options", "is_the_file"), [("", True), ("--format png", True), ("--format bmp", False)])
def test_a_picture_that_is_large_enough_goes_through_a_pipe(options: str, is_the_file: bool, photo: Path) -> None:
    program = [sys.executable, "-m", "restore_cli", "upscale", "-", "-o", "-", "--long-edge", "40", *options.split()]
    done = subprocess.run(program, input=photo.read_bytes(), capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b"standard input: skipped, it is large enough already (45x37), and is handed on as it is\n"
    assert (done.stdout == photo.read_bytes()) is is_the_file
    with Image.open(io.BytesIO(done.stdout)) as passed, Image.open(photo) as original:
        assert (np.asarray(passed.convert("RGB")) == np.asarray(original.convert("RGB"))).all()


def test_a_folder_is_mirrored_and_a_bad_picture_does_not_stop_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", "folder", "--json"]) == 1
    captured = capsys.readouterr()
    by_source = {record["source"]: record for record in records(captured.out)}
    assert {source: record["status"] for source, record in by_source.items()} == {
        "folder/a.png": "done",
        "folder/damaged.png": "failed",
        "folder/inner/b.png": "done",
    }
    assert "error: cannot read folder/damaged.png" in captured.err
    assert "2 done, 1 failed, 1 other file passed over" in captured.err
    results = sorted(str(path.relative_to(folder.parent)) for path in Path("folder_x4").absolute().rglob("*.*"))
    assert results == ["folder_x4/a_x4.png", "folder_x4/inner/b_x4.png"]


def test_json_tells_everything(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["upscale", str(photo), "--json", "--tile", "32", "--precision", "fp32", "-o", "x.jpg"])
    record = records(capsys.readouterr().out)[0]
    seconds = record.pop("seconds")
    assert record == {
        "source": str(photo),
        "target": "x.jpg",
        "status": "done",
        "model": "safmn-x4",
        "compression": None,
        "scale": 4.0,
        "input_size": [45, 37],
        "output_size": [180, 148],
        "device": "cpu",
        "precision": "fp32",
        "tile": 32,
        "notes": [],
        "reason": None,
        "error": None,
        "hint": "",
    }
    assert seconds.keys() == {"read", "run", "write"}
    assert seconds["run"] > 0


def test_dry_run_does_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", "folder", "-o", "out/", "--dry-run"]) == 0
    assert "folder/a.png -> out/a.png (restore, 45x37 to 180x148)" in capsys.readouterr().out
    assert not Path("out").exists()
    assert run(["upscale", "folder", "nosuch.png", "--dry-run", "--json"]) == 1
    told = records(capsys.readouterr().out)
    found = {record["source"]: (record["status"], record["error"]) for record in told}
    assert len(found) == 4
    assert {tuple(record) for record in told} == {tuple(told[0])}, "all have the same keys"
    assert {record["model"] for record in told} == {None}
    assert found["folder/a.png"] == ("planned", None)
    assert [record["output_size"] for record in told if record["status"] == "planned"] == [
        [180, 148]
    ] * 3  # of the damaged one, too, as its header tells
    assert found["nosuch.png"] == ("failed", "there is no file nosuch.png")


def test_the_last_line_of_a_dry_run_counts_all_that_would_fail(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "damaged.png").write_bytes(b"no picture")
    assert run(["upscale", "folder/a.png", "nosuch.png", "--dry-run"]) == 1
    assert stderr_lines(capsys)[-1] == "1 to restore, 0 to skip, 1 would fail"
    assert run(["upscale", "folder", "nosuch.png", "--dry-run"]) == 1
    assert "2 to restore, 0 to skip, 2 would fail" in stderr_lines(capsys)[-1]


def test_pictures_of_kinds_that_are_not_read_are_told_of(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photo.parent / "phone"
    folder.mkdir()
    photo.rename(folder / "a.png")
    (folder / "b.CR2").write_bytes(b"II")
    assert run(["upscale", "phone", "--dry-run"]) == 0
    assert stderr_lines(capsys) == [
        "note: 1 picture of a kind that is not read: .cr2",
        "1 to restore, 0 to skip, 0 would fail, 1 other file passed over",
    ]
    for name in ("c.jxl", "d.jxl", "notes.txt"):
        (folder / name).touch()
    assert run(["upscale", "phone"]) == 0
    note, *others = stderr_lines(capsys)
    assert note == "note: 3 pictures of kinds that are not read: .cr2, .jxl"
    assert "1 done, 4 other files passed over" in others[-1]
    assert run(["upscale", "phone", "-q", "--overwrite"]) == 0
    assert not stderr_lines(capsys)


def test_dry_run_tells_what_is_left_alone_and_why(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["upscale", str(photo), "-o", "out.png", "--manifest", "m"]
    assert run([*arguments, "--long-edge", "4", "--dry-run"]) == 0
    assert "(skip, it is large enough already" in capsys.readouterr().out
    assert not Path("m").exists()
    assert run([*arguments, "-q"]) == 0
    assert run([*arguments, "--dry-run"]) == 0
    assert (
        "(skip, it was done with these settings before (without --manifest, --overwrite replaces it))"
        in capsys.readouterr().out
    )
    assert run([*arguments, "--format", "png", "--dry-run"]) == 0
    assert "(restore, 45x37 to 180x148)" in capsys.readouterr().out, "other settings, so it is done again"
    assert run([*arguments[:4], "--dry-run"]) == 0
    assert "(skip, its target exists (--overwrite replaces it))" in capsys.readouterr().out


def test_dry_run_tells_what_is_copied(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (20, 10)).save(photo.with_name("small.png"))
    options = ["-o", "out", "--long-edge", "40", "--copy-rest"]
    assert run(["upscale", str(photo), "small.png", *options, "--dry-run"]) == 0
    told, counts = capsys.readouterr()
    assert [line.partition(" (")[2] for line in told.splitlines()] == [
        "copy, it is large enough already (45x37))",
        "restore, 20x10 to 40x20)",
    ]
    assert counts == "1 to restore, 1 to copy, 0 to skip, 0 would fail\n"
    assert run(["upscale", str(photo), "small.png", *options]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo.png", "small.png"]


def test_a_name_too_long_for_its_result_fails_alone(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = photo.with_name("a" * 250 + ".png")
    long.write_bytes(photo.read_bytes())
    assert run(["upscale", str(long), str(photo), "x" * 300, "-q"]) == 1
    assert photo.with_name(photo.stem + "_x4.png").exists()
    errors = [line for line in stderr_lines(capsys) if line.startswith("error:")]
    assert len(errors) == 2
    assert "too long" in errors[1]


def test_quiet_tells_of_errors_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["upscale", "folder", "-q", "--scale", "2"])
    lines = stderr_lines(capsys)
    assert [line.split(":")[0] for line in lines if not line.startswith("hint:")] == ["error"]


def test_verbose_tells_how(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["upscale", str(photo), "-v", "--precision", "fp32"])
    assert "(safmn-x4, cpu, fp32, whole; read" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_grey_and_transparent_pictures_stay_so(mode: str, photo: Path, here: Path) -> None:
    with Image.open(photo) as image:
        source = image.convert(mode)
    if "A" in mode:
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    source.save("source.png")
    assert run(["upscale", "source.png", "-q"]) == 0
    with Image.open(here / "source_x4.png") as result:
        assert result.mode == mode


def test_edges_that_meet_still_do(photo: Path, here: Path) -> None:
    with Image.open(photo) as image:
        texture = np.asarray(image)[:32, :32]
    Image.fromarray(texture).save("a.dds")
    Image.fromarray(np.roll(texture, 16, (0, 1))).save("b.dds")
    for command, factor in (
        ("upscale --scale 2 --wrap XY", 2),
        ("dejpeg --wrap xy", 1),
        ("run --step dejpeg:wrap=xy", 1),
    ):
        assert run([*command.split(), "a.dds", "b.dds", "-o", "out/", "-q", "--overwrite", "--precision", "fp32"]) == 0
        one, other = (open_pixels(here / f"out/{name}.dds").astype(int) for name in "ab")
        assert one.shape == (32 * factor, 32 * factor, 4)
        assert np.abs(np.roll(one, 16 * factor, (0, 1)) - other).max() <= 1


def test_alpha_goes_through_the_network_where_it_shall(photo: Path, here: Path) -> None:
    with Image.open(photo) as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda level: 255 * (level > 99)))
        image.save("cut.png")
    for option in ([], ["--restore-alpha"]):
        assert run(["upscale", "cut.png", "-o", f"{len(option)}.png", "-q", *option]) == 0
    plain, restored = open_pixels(here / "0.png"), open_pixels(here / "1.png")
    assert (plain[..., :3] == restored[..., :3]).all()
    edge = [((each[..., 3] > 20) & (each[..., 3] < 235)).sum() for each in (plain, restored)]
    assert edge[1] < edge[0], "outlines are sharper"


def test_options_for_textures_count_as_other_options(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["upscale", str(photo), "--scale", "2", "--manifest", "batch.db"]
    for added, told in ((), "photo_x2.png"), ((), "skipped"), (("--alpha", "data"), "photo_x2.png"):
        assert run([*command, *added]) == 0
        assert told in capsys.readouterr().err


def test_what_a_format_cannot_hold_is_said(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(photo) as image:
        image.putalpha(200)
        image.save("clear.png")
    run(["upscale", "clear.png", "-o", "x.jpg"])
    assert "note: clear.png: JPEG holds no transparency, so the picture lies on white" in stderr_lines(capsys)


def test_a_model_file_of_ones_own(photo: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared / "weights" / "official" / "light_safmnpp.pth"
    results = []
    for key in ("params", "params_ema"):
        assert run(["upscale", str(photo), "-m", str(file), "--key", key, "-o", f"{key}.png", "--json"]) == 0
        results.append(open_pixels(Path(f"{key}.png")))
    assert records(capsys.readouterr().out)[0]["model"] == str(file)
    assert 0 < np.abs(results[0] - results[1]).mean() < 2


def test_weights_in_the_form_that_is_trained_run_as_the_folded_ones(photo: Path) -> None:
    torch.manual_seed(1)
    trained = PlainUSR(8, (8, 4), scale=2, folded=False)
    save_file(trained.state_dict(), "trained.safetensors")
    assert run(["models", "convert", "trained.safetensors", "plain.safetensors"]) == 0
    for name in ("trained", "plain"):
        assert run(["upscale", str(photo), "-q", "-m", f"{name}.safetensors", "-o", f"{name}.png"]) == 0
    assert open_pixels(Path("plain.png")).shape == (74, 90, 3)
    assert (open_pixels(Path("plain.png")) == open_pixels(Path("trained.png"))).all()


@pytest.mark.parametrize(("speed", "model"), [("fast", "plainusr-s-x2"), ("best", "plainusr-l-x2")])
def test_a_model_is_picked_by_speed(
    speed: str, model: str, photo: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = find_card(model)
    put_path(card).parent.mkdir(parents=True)
    put_path(card).write_bytes((shared / "weights" / "official" / Path(card.file).name).read_bytes())
    assert run(["upscale", str(photo), "--speed", speed, "--scale", "2", "--json", "-o", "a.png"]) == 0
    assert run(["run", str(photo), "--step", f"upscale:speed={speed},scale=2", "--json", "-o", "b.png"]) == 0
    captured = capsys.readouterr()
    assert [record["model"] for record in records(captured.out)] == [model, model]
    assert "reduced" not in captured.err
    assert (open_pixels(Path("a.png")) == open_pixels(Path("b.png"))).all()


def test_balanced_is_what_is_built_in(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "--speed", "balanced", "--json"]) == 0
    assert records(capsys.readouterr().out)[0]["model"] == "safmn-x4"


@pytest.mark.parametrize(
    "arguments", [["upscale", "--speed", "fast", "--scale", "3"], ["run", "--step", "upscale:speed=fast,scale=3"]]
)
def test_without_a_network_a_speed_ends_with_what_is_built_in(
    arguments: list[str], photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run([*arguments, str(photo)]) == 3
    note, error, hint = stderr_lines(capsys)
    assert note == "note: no x3 model is listed as fast: plainusr-s-x4 runs and its result is reduced"
    assert error == "error: cannot download plainusr-s-x4: HF_HUB_OFFLINE is set"
    assert hint.endswith("; the speed balanced needs no download")


@pytest.mark.parametrize(
    ("model", "without"),
    [("safmn-df2k-x2", "safmn-x2"), ("plainusr-s-x4", "safmn-x4"), ("safmn-l-df2k-x3", "safmn-x3")],
)
def test_without_a_network_what_is_built_in_at_the_scale_is_named(
    model: str, without: str, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for command in (["upscale", "-m", model], ["run", "--step", f"upscale:model={model}"]):
        assert run([*command, str(photo)]) == 3
        assert stderr_lines(capsys)[-1].endswith(f"; the model {without} needs no download")


def test_a_speed_and_a_model_contradict_each_other(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["upscale", str(photo), "--speed", "balanced", "--model", "safmn-x4"],
        ["upscale", str(photo), "--speed", "fast", "--model", "./own.pth"],
    ):
        assert run(arguments) == 2
        assert stderr_lines(capsys) == ["error: --speed and --model contradict each other", "hint: give one of them"]


@pytest.mark.parametrize(
    ("keys", "which"),
    [
        ("model=safmn-x4,speed=fast", "speed and model"),
        ("width=9,scale=2,long-edge=9", "scale and width and long-edge"),
    ],
)
def test_keys_of_a_step_contradict_each_other(
    keys: str, which: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", str(photo), "--step", f"upscale:{keys}"]) == 2
    assert stderr_lines(capsys) == [f"error: {which} contradict each other", "hint: give one of them"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["photo.png", "--speed", "slow"], 2, "'slow' is not one of"),
        (["photo.png", "--scale", "0"], 2, "the scale 0 is not between 1 and 16"),
        (["photo.png", "--size", "10"], 2, "the size '10' is not of the form WIDTHxHEIGHT"),
        (["photo.png", "--scale", "2", "--width", "9"], 2, "--scale and --width contradict each other"),
        (["photo.png", "--model", "safmn-4x"], 2, "no model is called 'safmn-4x'"),
        (["photo.png", "--model", "safmn-bcie"], 2, "safmn-bcie does not upscale"),
        (["photo.png", "--model", "./none.pth"], 3, "there is no weights file none.pth"),
        (["photo.png", "--model", "text.safetensors"], 3, "cannot read the weights text.safetensors"),
        (["photo.png", "--no-such"], 2, "No such option: --no-such"),
        (["photo.png", "--tile", "7"], 2, "'7' is neither auto, off nor a number"),
        (["photo.png", "--strength", "2"], 2, "--strength"),
        (["photo.png", "--format", "bpg"], 2, "no format is called 'bpg'"),
        (["photo.png", "-o", "x.bpg"], 2, "x.bpg names no format"),
        (["photo.png", "-o", "photo.png"], 2, "the result would replace its input photo.png"),
        (["photo.png", "copy.png", "-o", "x.png"], 2, "several pictures cannot all be written to x.png"),
        (["photo.png", "sub/photo.png", "-o", "out/"], 2, "would both be written to out/photo.png"),
        (["photo.png", "--device", "cuda:99"], 4, "the device cuda:99 is not present"),
        (["photo.png", "-o", "text.safetensors/x.png"], 1, "cannot write text.safetensors/x.png"),
        (["nosuch.png"], 1, "there is no file nosuch.png"),
        (["empty/"], 1, "there are no pictures in empty/"),
        (["photo.png", "--max-pixels", "1000"], 1, "45x37 pixels are more than the limit of 1,000"),
        (["photo.png", "--width", "5000"], 1, "more than 16"),
        ([], 2, "no pictures were named"),
    ],
)
def test_bad_input_gets_an_error_a_hint_and_a_code(
    arguments: list[str], code: int, message: str, photo: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "copy.png").write_bytes(photo.read_bytes())
    (here / "sub").mkdir()
    (here / "sub" / "photo.png").write_bytes(photo.read_bytes())
    (here / "empty").mkdir()
    (here / "text.safetensors").write_text("this is not a weights file")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert run(["upscale", *arguments]) == code
    lines = stderr_lines(capsys)
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert all(line.startswith("hint: ") for line in lines[1:])
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--model", "safmn-4x"], 2),
        (["-s", "99"], 2),
        (["--model", "nofile.pth"], 3),
        (["--device", "cuda:99"], 4),
        (["--width", "5000"], 1),
    ],
)
def test_debug_shows_the_traceback_and_changes_no_code(
    options: list[str], code: int, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["upscale", str(photo), *options]
    assert run(command) == code
    plain = stderr_lines(capsys)
    assert run([*command, "--debug"]) == code
    lines = stderr_lines(capsys)
    assert lines[0].startswith("Traceback")
    assert lines[-len(plain) :] == plain


@pytest.mark.parametrize(
    ("arguments", "words", "hint"),
    [
        (["upscale", "a.png", "--speed", "slow"], "'--speed': 'slow' is not one of", "'restore upscale --help'"),
        (
            ["upscale", "a.png", "--scale", "2y"],
            "'--scale' / '-s': '2y' is not a factor such as",
            "'restore upscale --help'",
        ),
        (["upscale", "a.png", "-s", "1,5"], "'1,5' is not a factor such as 4 or 2.7", "'restore upscale --help'"),
        (["upscale", "a.png", "-scale", "2"], "'cale' is not a factor", "'restore upscale --help'"),
        (["upscale", "a.png", "--scale", "0.5"], "0.5 is not between 1 and 16", "pictures are not made smaller"),
        (["upscale", "a.png", "--scale", "17"], "17 is not between 1 and 16", "enlarge the result once more"),
        (["upscale", "a.png", "--device", "gpu"], "cuda or cuda:N (NVIDIA, AMD)", "'restore upscale --help'"),
        (["a.png"], "No such command 'a.png'", "say what to do with it: restore upscale a.png"),
        (["models", "a.png"], "No such command 'a.png'", "'restore models --help' shows what there is"),
        (["upscale", "a.png", "--long-edge", "4K"], "'4K' is not a whole number", "'restore upscale --help'"),
        (["upscale", "a.png", "--quality", "0"], "'0' should be greater than", "'restore upscale --help'"),
        (["upscale", "a.png", "-o"], "requires an argument", "'restore upscale --help'"),
        (["upscale", "-strange.png"], "-s", "the file is ./-strange.png"),
    ],
)
def test_values_that_are_none_are_told_in_plain_words(
    arguments: list[str], words: str, hint: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("-strange.png").write_bytes(b"")
    assert run(arguments) == 2
    error, helps = stderr_lines(capsys)
    assert words in error
    assert hint in helps


@pytest.mark.parametrize("scale", ["2", "2x", "x2", "X2", "2."])
def test_a_scale_may_be_written_as_people_write_it(scale: str, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "--scale", scale, "--dry-run"]) == 0
    assert "photo_x2.png (restore, 45x37 to 90x74)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("large.png", "check the name and the folder; quote a name with spaces; a result is named after -o"),
        ("4", "a scale is given by --scale 4"),
        ("https://example.org/a.jpg", "download it first, or pipe it in"),
        ("nosuch*.jpg", "check the pattern and the folder"),
    ],
)
def test_what_is_not_there_has_a_hint(name: str, hint: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", name]) == 1
    assert f"hint: {hint}" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "bmp", "webp"])
def test_a_picture_is_no_list_of_names(
    format: str, photo: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(photo) as image:
        image.save("list", format)
    assert run(["upscale", "--from-file", "list"]) == 2
    assert stderr_lines(capsys) == ["error: list is no list of names", "hint: name a picture without --from-file"]


def test_a_quality_for_a_format_that_has_none_is_told_of(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for format, is_told in (("png", True), ("gif", True), ("jpeg", False), ("jp2", False)):
        assert run(["upscale", str(photo), "--quality", "50", "--format", format, "--dry-run"]) == 0
        assert (f"--quality changes nothing: {format.upper()} has none" in capsys.readouterr().err) == is_told
    Image.new("RGB", (4, 4)).save("scan.tif")
    assert run(["upscale", str(photo), "scan.tif", "--quality", "50", "--dry-run"]) == 0
    assert "--quality changes nothing: PNG and TIFF have none" in capsys.readouterr().err


def test_capital_letters_are_small_ones(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--device", "CPU", "--tile", "OFF", "--precision", "FP32", "--format", "PNG"]
    for chosen in (["--speed", "Balanced"], ["-m", "SAFMN-X4"]):
        assert run(["upscale", str(photo), "--json", "--overwrite", *options, *chosen]) == 0
        (told,) = records(capsys.readouterr().out)
        assert (told["model"], told["device"], told["precision"]) == ("safmn-x4", "cpu", "fp32")
    assert run(["upscale", str(photo), "--devices", "CPU,Cpu", "--dry-run"]) == 0
    assert run(["evaluate", str(photo), str(photo), "--channel", "Y"]) == 0


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("photo.png/x.png", "photo.png is no folder"),
        ("photo.png/inner/x.png", "photo.png is no folder"),
        (f"{'x' * 300}.png", "File name too long"),
    ],
)
def test_what_cannot_be_written_is_told_with_what_helps(
    target: str, reason: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", str(photo), "-o", target]) == 1
    assert stderr_lines(capsys) == [
        f"error: cannot write {target}: {reason}",
        "hint: name another place with -o",
    ]


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "upscale" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("restore ")


def test_standard_input_and_output_hold_image_bytes_alone(photo: Path, restore: Restore) -> None:
    done = restore("upscale", "-", "--scale", "2", stdin=photo.read_bytes())
    assert done.returncode == 0
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("PNG", (90, 74))
    done = restore("upscale", "-", "-o", "-", "--format", "webp", "-q", stdin=done.stdout)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("WEBP", (360, 296))
    assert done.stderr == b""


def test_standard_input_that_is_no_picture(restore: Restore) -> None:
    for content in (b"", b"text"):
        done = restore("upscale", "-", stdin=content)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(b"error: cannot read standard input: ")


def test_json_and_a_picture_do_not_share_standard_output(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "-o", "-", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_a_closed_standard_output_ends_quietly(photo: Path) -> None:
    program = [sys.executable, "-m", "restore_cli", "upscale", str(photo), "-o", "-", "-q"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=120) == 1
    assert errors == b""


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent differently there")
@pytest.mark.parametrize(("number", "times", "done"), [("SIGINT", 1, 1), ("SIGTERM", 1, 1), ("SIGINT", 2, 0)])
def test_the_first_signal_finishes_the_picture_in_hand_and_the_second_does_not(
    number: str, times: int, done: int, photo: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from restore_cli.picture.picture import Picture
    from restore_cli.tasks.upscale import Upscaler

    (here / "a.png").write_bytes(photo.read_bytes())
    before, upscale = signal.getsignal(signal.SIGTERM), Upscaler.stream

    def upscale_and_signal(self: Upscaler, picture: Picture, *others: Any) -> Any:
        for _ in range(times):
            signal.raise_signal(signal.Signals[number])
        return upscale(self, picture, *others)

    monkeypatch.setattr(Upscaler, "stream", upscale_and_signal)
    assert run(["upscale", "a.png", "-o", "out/", "--quiet"]) == 130
    assert [path.name for path in here.glob("out/*")] == ["a.png"][:done]
    assert signal.getsignal(signal.SIGTERM) == before


def test_pictures_are_named_by_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list and an argument together; names hold a space, an emoji, a line break and bytes that are not UTF-8."""
    picture, folder = Image.new("RGB", (9, 8), "teal"), tmp_path
    names = [b"a b.png", "\N{OTTER}.png".encode(), b"line\nbreak.png", b"\xff.png"]
    for name in names:
        picture.save(os.fsdecode(os.path.join(os.fsencode(folder), name)), "png")
    listed = folder / "list"
    listed.write_bytes(b"\0".join(os.path.join(os.fsencode(folder), name) for name in names[1:]) + b"\0")
    output = str(folder / "new" / "{stem}-{model}-x{scale}.{ext}")
    options = ["--from-file", str(listed), "-0", "-o", output, "--scale", "2", "-q"]
    assert run(["upscale", str(folder / "a b.png"), *options]) == 0
    made = {os.fsencode(path.name) for path in (folder / "new").iterdir()}
    assert made == {name.replace(b".png", b"-auto-x2.png") for name in names}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from-file", "nosuch"], "cannot read the list nosuch"),
        (["-", "--from-file", "-"], "standard input cannot be a picture and a list"),
    ],
)
def test_nothing_to_read_is_a_wrong_request(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "failed", "told"),
    [
        ([], 3, None),
        (["--fail-fast"], 1, "1 failed"),
        (["--max-failures", "2"], 2, "2 failed"),
        (["--max-failures", "4"], 3, None),
    ],
)
def test_a_batch_stops_when_too_much_fails(
    options: list[str], failed: int, told: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "c", "d"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    assert run(["upscale", str(tmp_path), "--json", *options]) == 1
    captured = capsys.readouterr()
    statuses = [record["status"] for record in records(captured.out)]
    assert statuses.count("failed") == failed
    assert told or statuses.count("done") == 1
    notes = [line for line in captured.err.splitlines() if line.startswith("note: stopped")]
    assert notes == ([f"note: stopped: {told}, {4 - len(statuses)} left undone"] if told else [])


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_a_shard_that_is_none_is_refused(shard: str, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "--shard", shard]) == 2
    assert "not of the form K/N" in capsys.readouterr().err


# Large results


def test_tiles_are_written_in_a_stream_without_a_trace(photo: Path) -> None:
    for name, tile in (("whole", "off"), ("stream", "16")):
        for ending in ("png", "tif", "ppm", "jpg"):
            assert (
                run(["upscale", str(photo), "-q", "--tile", tile, "--precision", "bf16", "-o", f"{name}.{ending}"]) == 0
            )
    for ending in ("png", "tif", "ppm", "jpg"):
        assert Path(f"whole.{ending}").read_bytes() == Path(f"stream.{ending}").read_bytes()


def test_a_stream_goes_to_standard_output(photo: Path, restore: Restore) -> None:
    done = restore("upscale", "-", "-o", "-", "--tile", "16", "-q", stdin=photo.read_bytes())
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.size == (180, 148)


def test_a_killed_run_leaves_a_claim_at_most_and_can_be_started_again(
    photo: Path, here: Path, restore: Restore
) -> None:
    program = (
        "import os, signal, sys\n"
        "from restore_cli.cli.app import run; from restore_cli.picture.encoding import Encoder\n"
        "add = Encoder.add\n"
        "def kill(self, band):\n"
        "    add(self, band)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Encoder.add = kill; run(sys.argv[1:])"
    )
    before = sorted(here.iterdir())
    scratch = here.parent / "scratch"
    scratch.mkdir()
    arguments = ["upscale", str(photo), "--tile", "16", "-o", "out.png"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=os.environ | {"RESTORE_TMPDIR": str(scratch)}
    )
    assert done.returncode == -signal.SIGKILL
    assert sorted(path for path in here.iterdir() if path.suffix != ".claim") == before
    assert not list(scratch.iterdir())
    assert restore(*arguments).returncode == 0
    assert sorted(here.iterdir()) == [here / "out.png", *before]


def test_a_folder_becomes_pyramids_for_the_web(folder: Path, here: Path) -> None:
    (folder / "damaged.png").unlink()
    assert run(["upscale", "folder", "-o", "web", "--format", "dz", "--quality", "70", "-q"]) == 0
    assert sorted(path.name for path in (here / "web").iterdir()) == ["a.dzi", "a_files", "inner"]
    assert sorted(path.name for path in (here / "web" / "inner").iterdir()) == ["b.dzi", "b_files"]
    before = (here / "web" / "a.dzi").stat().st_mtime_ns
    assert run(["upscale", "folder", "-o", "web", "--format", "dz", "-q"]) == 0
    assert (here / "web" / "a.dzi").stat().st_mtime_ns == before


def test_a_pyramid_cannot_go_to_standard_output(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source in (str(photo), "-"):
        assert run(["upscale", source, "--format", "dz", "-o", "-"]) == 2
        assert "a Deep Zoom picture is many files" in stderr_lines(capsys)[0]


def test_what_a_format_cannot_hold_is_told_before_any_work(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (5000, 1)).save("wide.png")
    for more in ([], ["--dry-run"]):
        assert run(["upscale", "wide.png", "-o", "out.webp", *more]) == 1
        error, hint = stderr_lines(capsys)[:2]
        assert error == "error: 20000x4 is more than the 16,383 pixels a side that WEBP can hold"
        assert "TIFF or PNG" in hint
    assert not Path("out.webp").exists()


def test_a_dry_run_tells_of_what_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.png").write_bytes(b"nothing of the kind")
    assert run(["upscale", "a.png", "--dry-run"]) == 1
    assert capsys.readouterr().out == "a.png -> a_x4.png (fail)\n"
    assert run(["upscale", "a.png", "--dry-run", "--json"]) == 1
    (found,) = records(capsys.readouterr().out)
    assert (found["status"], found["reason"]) == ("failed", None)
    assert "cannot read a.png" in found["error"]


def test_a_dry_run_tells_of_a_folder_that_cannot_be_written(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert run(["upscale", str(photo), "-o", "new/folder/", "--dry-run"]) == 1
    assert "cannot write to new/folder: permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", ""], "-o names no file"),
        (["--from-file", ""], "--from-file names no file"),
        (["--manifest", ""], "--manifest names no file"),
        (["--report", ""], "--report names no file"),
        (["-q", "-v"], "--quiet and --verbose contradict each other"),
        (["--fail-fast", "--max-failures", "3"], "--fail-fast and --max-failures contradict each other"),
        (["--workers", "1", "--devices", "cpu,cuda:0"], "--workers 1 leaves some of 2 --devices idle"),
        (["--watch", "--dry-run"], "cannot be watched, it is no folder"),
    ],
)
def test_options_that_are_empty_or_contradict_each_other_are_refused(
    options: list[str], words: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = photo.read_bytes()
    assert run(["upscale", str(photo), "--overwrite", *options]) == 2
    assert words in stderr_lines(capsys)[0]
    assert photo.read_bytes() == before


@pytest.mark.parametrize("value", ["much", "-1G", "0", "2X", ""])
def test_a_memory_limit_that_is_no_size_is_refused(value: str, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), f"--memory-limit={value}"]) == 2
    assert "is not a size such as 800M or 2G" in stderr_lines(capsys)[0]


def test_a_batch_whose_last_picture_is_one_failure_too_many_is_not_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    assert run(["upscale", str(tmp_path), "--json", "--max-failures", "3"]) == 1
    captured = capsys.readouterr()
    assert [record["status"] for record in records(captured.out)] == ["failed"] * 3
    assert "note: stopped" not in captured.err


def test_a_compressed_picture_gets_the_network_made_for_it(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(photo) as image:
        image.convert("RGB").save("bad.jpg", quality=60)
        image.convert("RGB").save("good.jpg", quality=97)
    pictures, named = ["bad.jpg", "good.jpg", str(photo)], ["safmn-x4-photo", "safmn-x4", "safmn-x4"]
    assert run(["upscale", *pictures, "-o", "by-itself", "--json"]) == 0
    told = {Path(record["source"]).name: record for record in records(capsys.readouterr().out)}
    assert [told[Path(picture).name]["model"] for picture in pictures] == named
    assert [told[Path(picture).name]["compression"] for picture in pictures] == [
        "JPEG of quality 60",
        "JPEG of quality 97",
        None,
    ]
    for picture, model in zip(pictures, named, strict=True):
        assert run(["upscale", picture, "-o", f"named/{Path(picture).name}", "--model", model, "-q"]) == 0
        assert Path("named", Path(picture).name).read_bytes() == Path("by-itself", Path(picture).name).read_bytes()
    assert run(["upscale", "bad.jpg", "-v", "-o", "{stem}-{model}.png"]) == 0
    assert "safmn-x4-photo for JPEG of quality 60" in capsys.readouterr().err
    assert Path("bad-auto.png").exists()


@pytest.mark.parametrize(
    ("options", "model"),
    [
        (["--model", "safmn-x4"], "safmn-x4"),
        (["--speed", "balanced"], "safmn-x4-photo"),
        (["--speed", "balanced", "--scale", "2"], "safmn-x2-photo"),
        (["--scale", "1.5"], "safmn-x2-photo"),
        (["--size", "150x150"], "safmn-x4-photo"),
        (["--size", "400x400"], "safmn-x4-photo"),
        (["--scale", "16"], "safmn-x4-photo"),
    ],
)
def test_compressed_pictures_get_it_at_every_scale_unless_another_is_named(
    options: list[str], model: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(photo) as image:
        image.convert("RGB").save("bad.jpg", quality=60)
    assert run(["upscale", "bad.jpg", "-o", "large.png", "--json", *options]) == 0
    assert [record["model"] for record in records(capsys.readouterr().out)] == [model]


def test_steps_choose_by_the_picture_too(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture whose artefacts were taken out is clean."""
    with Image.open(photo) as image:
        image.convert("RGB").save("bad.jpg", quality=60)
    for steps, model in (["upscale"], "safmn-x4-photo"), (["dejpeg", "upscale"], "dejpeg-s+safmn-x4"):
        arguments = [word for step in steps for word in ("--step", step)]
        assert run(["run", "bad.jpg", *arguments, "-o", "large.png", "--json", "--overwrite"]) == 0
        assert [record["model"] for record in records(capsys.readouterr().out)] == [model]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.jpg", "--format", "png"], "x.jpg does not end as PNG does"),
        (["-o", "x.png", "--suffix", "_large"], "--suffix has no place in x.png"),
        (["-o", "out/{stem}.{ext}", "--suffix", "_large"], "--suffix has no place in out/{stem}.{ext}"),
        (["-0"], "-0 tells how names in a list end, and there is no list"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    arguments: list[str], message: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", str(photo), *arguments]) == 2
    assert stderr_lines(capsys)[0] == f"error: {message}"
