from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

import pytest

from restore_cli.batch.outcome import Outcome, Seconds
from restore_cli.batch.totals import add_up
from restore_cli.display import Display
from restore_cli.errors import RestoreError
from restore_cli.summary import Summary


def test_an_error_is_one_line_and_its_hint_another(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    Display(quiet=True).error(RestoreError(f"cannot read {long}", "look at it"))
    captured = capsys.readouterr()
    assert captured.err == f"error: cannot read {long}\nhint: look at it\n"
    assert captured.out == ""


def test_names_cannot_break_lines_or_colour_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Display().error(RestoreError("cannot read a\nb\x1b[31m[red]c\udcff.png"))
    assert capsys.readouterr().err == "error: cannot read a\\nb\\x1b[31m[red]c\\udcff.png\n"


def test_no_colour_and_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    with display.progress(3) as progress:
        progress.part(0.5)
        progress.picture_done()
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal_unless_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    with Display().progress(3) as progress:
        progress.picture_done()
    assert "1/3" in capsys.readouterr().err
    with Display(quiet=True).progress(3) as progress:
        progress.picture_done()
    assert capsys.readouterr().err == ""


def test_the_bar_of_a_single_picture_tells_no_share_until_a_part_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    with Display().progress(1) as progress:
        progress.part(0.0)
    assert "%" not in capsys.readouterr().err
    with Display().progress(1) as progress:
        progress.part(0.25)
    assert "25 %" in capsys.readouterr().err
    with Display().progress(1) as progress:
        progress.picture_done()
    assert "100 %" in capsys.readouterr().err


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    Display().error(RestoreError("no"))
    assert "\x1b[1;31m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    Display().error(RestoreError("no"))
    assert "31m" not in capsys.readouterr().err


def outcomes_of(done: int, failed: int) -> list[Outcome]:
    """Pictures of 2 megapixels that took a second each and became 32, and failures."""
    restored = Outcome("a.png", "b.png", "done", input_size=(2000, 1000), output_size=(8000, 4000))
    return [
        *(replace(restored, seconds=Seconds(0.1, 0.7, 0.2)) for _ in range(done)),
        *(Outcome(f"bad{number}.png", None, "failed", "it is empty") for number in range(failed)),
    ]


def told(capsys: pytest.CaptureFixture[str], outcomes: list[Outcome], seconds: float, **options: Any) -> str:
    display = Display(quiet=options.pop("quiet", False), json=options.pop("json", False))
    display.summary(Summary(add_up(outcomes), seconds, **{"passed_over": 0, "left": 0, "interrupted": False} | options))
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def test_a_summary_counts_and_tells_the_speed(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, outcomes_of(2, 1), 0.8, passed_over=4) == (
        "2 done, 1 failed, 4 other files passed over in 0.8 s (5.0 MP/s)\nfailed: bad0.png\n"
    )
    assert told(capsys, outcomes_of(2, 0), 10.0) == "2 done in 10.0 s (0.4 MP/s)\n"
    assert told(capsys, outcomes_of(1, 0), 2.0) == ""
    assert told(capsys, [], 0.1, interrupted=True) == "interrupted: 0 done in 0.1 s\n"
    assert told(capsys, outcomes_of(2, 9), 2.0, quiet=True) == ""


def test_failures_are_named_again_unless_they_are_few_and_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(told(capsys, outcomes_of(0, 3), 1.0).splitlines()) == 1
    lines = told(capsys, outcomes_of(0, 4), 1.0).splitlines()
    assert lines[1:] == [f"failed: bad{number}.png" for number in range(4)]
    lines = told(capsys, outcomes_of(0, 23), 1.0).splitlines()
    assert lines[20:] == ["failed: bad19.png", "and 3 more that failed; --json or --report lists all"]


@pytest.mark.usefixtures("terminal")
def test_a_summary_is_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = re.sub(r"\x1b\[[\d;]*m", "", told(capsys, outcomes_of(1200, 1), 400.0))
    assert [tuple(re.split("  +", line.strip())) for line in text.splitlines()] == [
        ("done", "1,200"),
        ("failed", "1"),
        ("pixels", "2,400.0 MP read, 38,400.0 MP written"),
        ("speed", "6.0 MP/s of input"),
        ("time", "0:06:40"),
        ("spent on", "read 10%, run 70%, write 20%"),
        ("failed: bad0.png",),
    ]


@pytest.mark.usefixtures("terminal")
def test_a_table_names_the_folder_of_all_results(capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = outcomes_of(1, 0)
    first, second = replace(outcome, target="few_x2/a.png"), replace(outcome, target="few_x2/b.png")
    in_other = replace(second, target="few_x2/more/b.png")
    assert f"2 in few_x2{os.sep} " in told(capsys, [first, second], 1.0)
    assert "few_x2" not in told(capsys, [first, second], 1.0, json=True)
    assert "few_x2" not in told(capsys, [first, in_other, second], 1.0)


@pytest.mark.usefixtures("terminal")
def test_a_speed_in_pictures_is_not_of_input(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, outcomes_of(2, 0), 40_000.0)
    assert "pictures/s" in text
    assert "of input" not in text


@pytest.mark.usefixtures("terminal")
def test_a_table_tells_of_an_interruption_and_of_what_was_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, [], 0.1, interrupted=True, passed_over=4)
    assert "interrupted" in text
    assert "4 other files" in text


@pytest.mark.usefixtures("terminal")
def test_a_label_is_coloured_and_not_what_follows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR")
    Display().error(RestoreError("it is gone", "look for it"))
    assert capsys.readouterr().err == "\x1b[1;31merror: \x1b[0mit is gone\n\x1b[36mhint: \x1b[0mlook for it\n"


def test_what_is_left_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "2 done, 7 left in" in told(capsys, outcomes_of(2, 0), 1.0, left=7, interrupted=True)


@pytest.mark.usefixtures("terminal")
def test_what_is_left_is_told_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = re.sub(r"\x1b\[[\d;]*m", "", told(capsys, outcomes_of(2, 0), 1.0, left=7, interrupted=True))
    assert re.search(r"left +7 *\n", text)
