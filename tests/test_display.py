from __future__ import annotations

import pytest

from restore_cli.batch import Outcome
from restore_cli.display import Display
from restore_cli.errors import RestoreError


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


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    Display().error(RestoreError("no"))
    assert "\x1b[1;31m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    Display().error(RestoreError("no"))
    assert "31m" not in capsys.readouterr().err


def test_summary_counts(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [Outcome(name, None, status) for name, status in (("a", "done"), ("b", "failed"), ("c", "done"))]  # type: ignore[arg-type]
    Display().summary(outcomes, 2.0, passed_over=4, interrupted=False)
    assert capsys.readouterr().err == "2 done, 1 failed, 4 other files passed over in 2.0 s\n"
    Display().summary(outcomes[:1], 2.0, passed_over=0, interrupted=False)
    assert capsys.readouterr().err == ""
    Display().summary([], 0.1, passed_over=0, interrupted=True)
    assert capsys.readouterr().err == "interrupted: 0 done in 0.1 s\n"
