"""`restore bench`: what it measures, and what it says of requests that cannot be carried out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest
from PIL import Image

from restore_cli.benchmark import case as benchmark
from restore_cli.cli import run
from restore_cli.errors import DeviceError

Capture = pytest.CaptureFixture[str]
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
SMALL = ["--size", "24x16", "--runs", "2"]


def test_records_hold_what_was_measured(capsys: Capture) -> None:
    options = ["--model", "safmn-x4", "--precision", "fp32", "--tile", "16", "--tile", "off", "--baseline", "--json"]
    assert run(["bench", *options, *SMALL]) == 0
    plain, tiled, whole = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (plain["case"]["plain"], plain["speed_up"], plain["tile"]) == (True, 1, None)
    assert (tiled["tile"], whole["tile"]) == (16, None)
    for record in (plain, tiled, whole):
        assert (record["case"]["width"], record["case"]["height"], record["device"]) == (24, 16, "cpu")
        assert (record["precision"], len(record["seconds"])) == ("fp32", 2)
        assert record["megapixels_per_second"] == pytest.approx(24 * 16 / 1e6 / record["median"])
        assert record["speed_up"] == pytest.approx(plain["median"] / record["median"])
        assert record["peak_memory"] > 50e6


def test_a_table_and_a_plot_show_every_model(capsys: Capture, tmp_path: Path) -> None:
    models = ["-m", "denoise", "-m", str(WEIGHTS / "safmn-any.safetensors")]
    plot = tmp_path / "speeds.png"
    assert run(["bench", *models, *SMALL, "--plot", str(plot)]) == 0
    header, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header[0] == "model"
    assert [row[0] for row in rows] == ["denoise", "safmn-any.safetensors"]
    assert all(row[1] == "24x16" and float(row[5]) > 0 for row in rows)
    with Image.open(plot) as image:
        assert image.format == "PNG"


def test_the_roofline_is_told(capsys: Capture) -> None:
    options = ["--model", "safmn-x4", "--roofline", "--precision", "fp32", *SMALL]
    assert run(["bench", *options, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    work, peak = record["roofline"]["work"], record["roofline"]["peak"]
    assert work["flops"] == pytest.approx(470_225, rel=0.01)
    pixels_per_second = 1e6 * record["megapixels_per_second"]
    reached = (pixels_per_second * work["flops"] / peak["flops"], pixels_per_second * work["bytes"] / peak["bytes"])
    assert record["share_of_peak"] == pytest.approx(max(reached))
    assert run(["bench", *options]) == 0
    header, row = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header[-7:] == ["kFLOP/px", "B/px", "TFLOP/s", "GB/s", "bound", "of", "peak"]
    assert row[-6] == "470"
    assert row[-1].endswith("%")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("--size 64", 2, "'64' is not of the form WIDTHxHEIGHT"),
        ("--size 0x8", 2, "at least 1 pixel"),
        ("--model nosuch", 2, "no model is called 'nosuch'"),
        ("--tile 3", 2, "'--tile'"),
        ("--model none.safetensors", 3, "there is no weights file none.safetensors"),
        ("--model denoise --device cuda:77", 4, "cuda:77 is not present"),
    ],
)
def test_wrong_requests_get_one_line(arguments: str, code: int, words: str, capsys: Capture) -> None:
    assert run(["bench", *arguments.split()]) == code
    first, *rest = capsys.readouterr().err.splitlines()
    assert words in first
    assert len(rest) <= 1


def die(case: benchmark.Case, runs: int) -> NoReturn:
    """End the process as a system does that is out of memory."""
    os._exit(9)


def test_a_measurement_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "measure", die)
    with pytest.raises(DeviceError, match="safmn-x4 at 8x9 was ended by the system"):
        benchmark.measure_apart(benchmark.Case("safmn-x4", 8, 9), 1)


def test_a_plot_that_cannot_be_written_is_told_of_before_measuring(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for plot in (tmp_path, tmp_path / "file" / "a.png"):
        assert run(["bench", *SMALL, "--plot", str(plot)]) == 2
        said = capsys.readouterr()
        assert "cannot be written" in said.err
        assert said.out == ""
