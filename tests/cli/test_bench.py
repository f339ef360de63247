"""`restore bench`: what it measures, and what it says of requests that cannot be carried out."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from restore_cli.benchmark import case as benchmark
from restore_cli.cli.app import run
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
        ("--model safmn-x4 --key params", 2, "--key is for a weights file, and no model is one"),
        ("--tile 3", 2, "'--tile'"),
        ("--model none.safetensors", 3, "there is no weights file none.safetensors"),
        ("--model denoise --model none.safetensors", 3, "there is no weights file none.safetensors"),
        ("--model denoise --device cuda:77", 4, "cuda:77 is not present"),
        ("--device cuda:77", 4, "cuda:77 is not present"),
        ("--plot speeds.jpg", 2, "speeds.jpg cannot be written: it does not end in .png"),
    ],
)
def test_wrong_requests_get_one_line(arguments: str, code: int, words: str, capsys: Capture) -> None:
    assert run(["bench", *arguments.split()]) == code
    said = capsys.readouterr()
    first, *rest = said.err.splitlines()
    assert words in first
    assert len(rest) <= 1
    assert said.out == ""


def measure_instead(
    monkeypatch: pytest.MonkeyPatch, failing: str, failure: BaseException, *, of_plain: bool = False
) -> None:
    """Let nothing be measured: each case takes a second, and that of a model fails."""

    def measure_apart(case: benchmark.Case, runs: int) -> benchmark.Timing:
        if case.model == failing and case.plain == of_plain:
            raise failure
        return benchmark.Timing(case, "cpu", "fp32", None, (1.0,) * runs, 1 << 27)

    monkeypatch.setattr(benchmark, "measure_apart", measure_apart)


@pytest.mark.parametrize("of_plain", [False, True])
def test_a_case_that_fails_leaves_the_others(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, of_plain: bool
) -> None:
    measure_instead(monkeypatch, "dejpeg-s", DeviceError("too large", "use less"), of_plain=of_plain)
    models = ["-m", "denoise", "-m", "dejpeg-s", "-m", "safmn-x4"]
    plot = tmp_path / "speeds.png"
    assert run(["bench", *models, *SMALL, "--baseline", "--json", "--plot", str(plot)]) == 4
    said = capsys.readouterr()
    assert said.err == "error: too large\nhint: use less\n"
    records = [json.loads(line) for line in said.out.splitlines()]
    assert [record["case"]["model"] for record in records] == [name for name in models if name != "-m" for _ in "12"]
    assert [record.get("error") for record in records].count("too large") == 1
    speed_ups = {record["case"]["model"]: record["speed_up"] for record in records if "speed_up" in record}
    assert speed_ups == {"denoise": 1, "dejpeg-s": None if of_plain else 1, "safmn-x4": 1}
    assert plot.exists()


def test_what_was_measured_before_an_interruption_is_drawn(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measure_instead(monkeypatch, "dejpeg-s", KeyboardInterrupt())
    plot = tmp_path / "speeds.png"
    assert run(["bench", "-m", "denoise", "-m", "dejpeg-s", "-m", "safmn-x4", *SMALL, "--plot", str(plot)]) == 130
    said = capsys.readouterr()
    assert said.err == "note: interrupted after 1 of 3 measurements\n"
    assert len(said.out.splitlines()) == 2
    assert plot.exists()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C reaches process groups elsewhere in other ways")
def test_an_interruption_ends_the_measuring_process_in_silence() -> None:
    command = ["-m", "restore_cli", "bench", "-m", "safmn-x4", "--size", "4000x4000"]  # takes minutes
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)  # the measuring process begins
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):  # as it should be
                os.killpg(process.pid, signal.SIGKILL)
    assert said == "note: interrupted after 0 of 1 measurements\n"
    assert process.returncode == 130


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interruption_is_no_affair_of_the_measuring_process() -> None:
    """From its first moment on; else it would print tracebacks."""

    def interrupt() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.001)
        with contextlib.suppress(ProcessLookupError):
            for _ in range(100):
                os.kill(children[0].pid, signal.SIGINT)
                time.sleep(0.01)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    assert len(benchmark.measure_apart(benchmark.Case("safmn-x4", 8, 9), 1).seconds) == 1
    thread.join()


def test_the_plain_form_takes_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[tuple[int, ...]] = []

    def see(result: np.ndarray, bits: int) -> np.ndarray:
        results.append(result.shape)
        return result

    monkeypatch.setattr(benchmark, "to_samples", see)
    for model, scale in (("dejpeg-s", 1), ("safmn-x2", 2)):
        benchmark.measure(benchmark.Case(model, 19, 17, plain=True), 1)
        assert results.pop() == (17 * scale, 19 * scale, 3)


def test_the_plain_form_out_of_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> NoReturn:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(benchmark, "to_unit", fail)
    with pytest.raises(DeviceError, match="safmn-x4 at 8x9 in its plain form is out of memory"):
        benchmark.measure(benchmark.Case("safmn-x4", 8, 9, plain=True), 1)


def test_a_precision_that_does_not_suit_is_told_with_its_case() -> None:
    with pytest.raises(DeviceError, match="dejpeg-s at 8x9: this network does not stay correct in fp16"):
        benchmark.measure(benchmark.Case("dejpeg-s", 8, 9, precision="fp16"), 1)


def test_more_threads_than_machines_have_are_refused(capsys: Capture) -> None:
    assert run(["bench", "--threads", "1025"]) == 2
    assert "'--threads': 1025 is more than 1024" in capsys.readouterr().err


def test_the_help_names_its_values(capsys: Capture) -> None:
    assert run(["bench", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--precision auto|fp32|bf16|fp16" in said
    assert "<" not in said


def die(case: benchmark.Case, runs: int) -> NoReturn:
    """End the process as a system does that is out of memory."""
    os._exit(9)


def test_a_measurement_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "measure", die)
    with pytest.raises(DeviceError, match="safmn-x4 at 8x9 was ended by the system"):
        benchmark.measure_apart(benchmark.Case("safmn-x4", 8, 9), 1)


def test_a_library_that_is_there_and_broken_is_not_called_absent(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "restore_cli.benchmark.plot", ModuleType("broken"))
    assert run(["bench", *SMALL, "--plot", str(tmp_path / "a.png")]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "drawing needs a library that cannot be imported: cannot import name 'plot_speeds'" in error
    assert hint == "hint: pip install matplotlib"


def test_a_plot_that_cannot_be_written_is_told_of_before_measuring(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for plot in (tmp_path, tmp_path / "file" / "a.png"):
        assert run(["bench", *SMALL, "--plot", str(plot)]) == 2
        said = capsys.readouterr()
        assert "cannot be written" in said.err
        assert said.out == ""
