from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.cli.app import run
from restore_cli.tasks.sizing import SIZING_SUFFIX, Sizing


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders: `ours` is 3 levels brighter than `theirs`, whose second picture is 2 pixels larger."""
    monkeypatch.chdir(tmp_path)
    for name, size in (("a", (24, 32)), ("b", (28, 20))):
        pixels = np.random.default_rng(len(name)).integers(0, 250, (*size, 3), np.uint8)
        larger = np.pad(pixels, ((0, 2), (0, 2), (0, 0)), mode="edge") if name == "b" else pixels
        for folder, content, ending in (("ours", pixels + 3, "png"), ("theirs", larger, "tif")):
            Path(folder).mkdir(exist_ok=True)
            Image.fromarray(content).save(f"{folder}/{name}.{ending}")
    return tmp_path


def test_two_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "ours/a.png", "theirs/a.tif", "--channel", "rgb"]) == 0
    name, psnr, ssim = capsys.readouterr().out.strip().split("\t")
    assert name == "a.png"
    assert float(psnr.removesuffix(" dB")) == pytest.approx(20 * np.log10(255 / 3), abs=1e-3)
    assert 0.99 < float(ssim) < 1


def test_a_name_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = "new\nline \x1b[31m.png"
    Path("ours/a.png").rename(name)
    assert run(["evaluate", name, "theirs/a.tif"]) == 0
    assert capsys.readouterr().out.startswith("new\\nline \\x1b[31m.png\t")


def test_two_folders_with_the_mean_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["name"] for record in records] == ["a.png", "b.png", "mean"]
    assert records[2]["psnr"] == pytest.approx((records[0]["psnr"] + records[1]["psnr"]) / 2, abs=1e-3)


def test_equal_files_have_no_finite_psnr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "ours/a.png", "ours/a.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "a.png", "psnr": None, "ssim": 1.0}


@pytest.mark.parametrize("other", ["ours/a.png", "opaque.png"])
def test_transparency_that_differs_is_told_of(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open("ours/a.png") as image:
        image.putalpha(255)
        image.save("opaque.png")
        image.putpixel((0, 23), (*image.getpixel((0, 23))[:3], 254))
        image.save("clear.png")
    for pair in (["clear.png", other], [other, "clear.png"]):
        assert run(["evaluate", *pair]) == 0
        captured = capsys.readouterr()
        assert captured.out.startswith(f"{Path(pair[0]).name}\tinf dB")
        assert captured.err.startswith(f"note: {Path(pair[0]).name}: its transparency is not that of the reference")
    for same in (["clear.png", "clear.png"], ["opaque.png", other], ["clear.png", other, "--border", "1"]):
        assert run(["evaluate", *same]) == 0
        assert not capsys.readouterr().err


def test_damage_to_pictures_that_can_be_read_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    for folder, ending in (("ours", b"\x55" * 40 + b"\xff\xd9"), ("theirs", b"")):
        with Image.open("ours/a.png") as image:
            image.save(f"{folder}/a.jpg", progressive=True)
        Path(f"{folder}/a.jpg").write_bytes(Path(f"{folder}/a.jpg").read_bytes()[:-2] + ending)
    assert run(["evaluate", "ours/a.jpg", "theirs/a.jpg"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("a.jpg\t")
    first, second = captured.err.splitlines()
    assert first.startswith("note: ours/a.jpg: parts of it may be damaged: ")
    assert second == "note: theirs/a.jpg: the marker at its end is missing"


def test_identical_pairs_are_counted_and_left_out_of_the_mean(capsys: pytest.CaptureFixture[str]) -> None:
    Path("theirs/b.tif").unlink()
    Path("theirs/b.png").write_bytes(Path("ours/b.png").read_bytes())
    assert run(["evaluate", "ours", "theirs", "--json"]) == 0
    captured = capsys.readouterr()
    first, second, mean = (json.loads(line) for line in captured.out.splitlines())
    assert (first["name"], second["name"], second["psnr"]) == ("a.png", "b.png", None)
    assert mean == {
        "name": "mean",
        "psnr": first["psnr"],
        "ssim": pytest.approx((first["ssim"] + 1) / 2),
        "identical": 1,
    }
    assert captured.err == "note: identical pairs: 1 of 2; the mean PSNR is that of the others\n"
    assert run(["evaluate", "ours", "ours"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "mean\tinf dB\t1.0000"
    assert captured.err == "note: identical pairs: 2 of 2\n"


def test_a_folder_of_one_pair_is_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ours/a.png").unlink()
    Path("theirs/a.tif").unlink()
    assert run(["evaluate", "ours", "theirs", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "name": "b.png",
        "error": "ours/b.png and theirs/b.tif: the pictures have different sizes: 20x28 and 22x30",
    }
    assert captured.err.startswith("error: ours/b.png and theirs/b.tif: ")


def test_folders_in_folders_are_paired_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    for target, source in (
        ("ours/sub/deep/a_x4.png", "ours/a.png"),
        ("theirs/sub/deep/a.tif", "theirs/a.tif"),
        ("ours/other/a.png", "ours/a.png"),
        ("theirs/.hidden/a.tif", "theirs/a.tif"),
    ):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(Path(source).read_bytes())
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: no partner for ours/other/a.png\n"
    names = [line.split("\t")[0] for line in captured.out.splitlines()]
    assert names == ["a.png", "b.png", "sub/deep/a_x4.png", "mean"]


def test_results_in_the_folder_of_their_references_are_no_references(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ours").rename("theirs/large")
    for arguments in (["theirs/large", "theirs"], ["theirs", "theirs/large"]):
        assert run(["evaluate", *arguments, "--modcrop", "2"]) == 1  # b differs in size
        captured = capsys.readouterr()
        assert "no partner" not in captured.err
        assert [line.split("\t")[0].split(".")[0] for line in captured.out.splitlines()] == ["a", "mean"]


def test_a_folder_that_cannot_be_read_is_told_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ours/sub").mkdir()
    scan = os.scandir

    def refuse(folder: str) -> Any:
        if str(folder).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: cannot read ours/sub: Permission denied\n"
    assert len(captured.out.splitlines()) == 3


def test_the_help_names_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("{RESTORED} {REFERENCE}", "--border PIXELS", "--modcrop N", "--channel y|rgb", "in JSON null"):
        assert words in said
    assert "int range" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ours", "theirs"], 1, "ours/b.png and theirs/b.tif: the pictures have different sizes: 20x28 and 22x30"),
        (["ours/b.png", "theirs/b.tif"], 1, "ours/b.png and theirs/b.tif: the pictures have different sizes"),
        (["ours", "theirs/a.tif"], 2, "one is a folder and the other a file"),
        (["ours", "nosuch"], 1, "there is no file or folder nosuch"),
        (["ours/a.png", "text.png"], 1, "cannot read text.png"),
        (["ours/a.png", "theirs/a.tif", "--border", "9"], 2, "use a smaller --border"),
        (["empty", "empty"], 1, "there are no pictures in empty"),
    ],
)
def test_errors(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("text.png").write_text("no picture")
    assert run(["evaluate", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err


def test_a_pair_that_cannot_be_compared_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "ours", "theirs", "--json"]) == 1
    captured = capsys.readouterr()
    first, second, mean = (json.loads(line) for line in captured.out.splitlines())
    assert (first["name"], second["name"], mean["name"]) == ("a.png", "b.png", "mean")
    assert mean["psnr"] == first["psnr"]
    assert "different sizes" in second["error"]
    assert captured.err.startswith("error: ours/b.png and theirs/b.tif: ")


def test_missing_partners_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ours/c.png").write_bytes(Path("ours/a.png").read_bytes())
    Path("ours/a_large.png").write_bytes(Path("ours/a.png").read_bytes())
    Path("theirs/d.tif").write_bytes(Path("theirs/a.tif").read_bytes())
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4"]) == 1
    captured = capsys.readouterr()
    alone = ("ours/a_large.png", "ours/c.png", "theirs/d.tif")
    assert captured.err.splitlines() == [f"error: no partner for {name}" for name in alone]
    assert [line.split("\t")[0] for line in captured.out.splitlines()] == ["a.png", "b.png", "mean"]


@pytest.mark.parametrize(
    "sizing",
    [Sizing(scale=2.7), Sizing(width=9), Sizing(height=9), Sizing(long_edge=9), Sizing(width=9, height=8)],
)
def test_what_sizes_add_to_names_is_known(sizing: Sizing) -> None:
    assert re.fullmatch(SIZING_SUFFIX, sizing.suffix)


@pytest.mark.parametrize("suffix", ["_x4", "_x2.7", "_1920x1080", "_l3840", "_denoise", "_lowlight_x2"])
def test_results_belong_to_what_they_are_called_after(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path in list(Path("ours").iterdir()):
        path.rename(path.with_stem(path.stem + suffix))
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4"]) == 0
    Path("theirs/a.tif").unlink()
    Path("theirs/b.tif").unlink()
    Path("theirs/c.tif").write_bytes(b"")
    assert run(["evaluate", "ours", "theirs"]) == 1
    assert "no picture in ours has the name of one in theirs" in capsys.readouterr().err


def test_names_that_differ_by_ending_alone_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ours/a.tif").write_bytes(Path("ours/a.png").read_bytes())
    assert run(["evaluate", "ours", "theirs"]) == 1
    assert "ours/a.png and ours/a.tif share a name" in capsys.readouterr().err


def test_whole_names_are_paired_before_names_without_endings(capsys: pytest.CaptureFixture[str]) -> None:
    for folder, name in (("ours", "a.png"), ("theirs", "a.tif")):
        content = Path(folder, name).read_bytes()
        for other in ("sky.png", "sky.jpg", f"sea.{'png' if folder == 'ours' else 'bmp'}", "sea.tif"):
            Path(folder, other).write_bytes(content)
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4"]) == 0
    names = {line.split("\t")[0] for line in capsys.readouterr().out.splitlines()}
    assert names == {"a.png", "b.png", "sea.png", "sea.tif", "sky.jpg", "sky.png", "mean"}


def test_a_doubtful_name_leaves_the_other_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("theirs/a.jpg").write_bytes(Path("theirs/a.tif").read_bytes())
    assert run(["evaluate", "ours", "theirs", "--modcrop", "4"]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[0] == "error: theirs/a.jpg and theirs/a.tif share a name"
    assert "no partner" not in captured.err
    assert [line.split("\t")[0] for line in captured.out.splitlines()] == ["b.png", "mean"]


def test_pixels_that_nobody_sees_are_left_out_and_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 20, 4), np.uint8)
    pixels[..., 3] = np.where(np.arange(20) < 9, 0, 255)
    for folder, colour in (("ours", 255), ("theirs", 0)):
        pixels[:, :9, :3] = colour
        Image.fromarray(pixels).save(f"{folder}/sprite.png")
    assert run(["evaluate", "ours/sprite.png", "theirs/sprite.png", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"name": "sprite.png", "psnr": None, "ssim": 1.0}
    told = "note: sprite.png: pixels that are fully transparent in both pictures are left out of the comparison"
    assert captured.err.splitlines() == [told]
