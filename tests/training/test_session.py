"""Which weights a run writes as the best: by the clock where time ends it, and only there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from restore_cli.training import plot, session

from .conftest import Train, interrupted_after, reports

SCORES = [1.0, 2.0, 9.0, 5.0, 8.0, 4.0, 3.0, 7.0, 2.0]
"""PSNR after so many steps: the best after 2, of multiples of 3 after 3."""


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let validation give SCORES, weights be chosen after every third step, and each look at a clock take seconds."""
    monkeypatch.setattr(session, "STEPS_TO_CHOICE", 3)
    monkeypatch.setattr(plot, "plot_history", lambda history, title, path: None)
    monkeypatch.setattr(session, "validate", lambda learner, batches: SCORES[learner.step])

    def set_clock(seconds: float) -> None:
        ticks = itertools.count()
        monkeypatch.setattr(session, "time", SimpleNamespace(perf_counter=lambda: seconds * next(ticks)))

    return set_clock


def steps_of(path: Path) -> str:
    with safe_open(path, "pt") as file:
        return file.metadata()["steps"]


def test_slow_and_fast_machines_and_resumed_runs_write_the_same_weights(
    train: Train, set_clock: Callable[[float], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast, slow, cut = (tmp_path / f"{name}.safetensors" for name in ("fast", "slow", "cut"))
    set_clock(1e-3)
    assert train(fast, "--json") == 0
    assert [report["step"] for report in reports(capsys)] == [3, 6, 8]
    set_clock(1e3)
    assert train(slow, "--json") == 0
    assert [report["step"] for report in reports(capsys)] == list(range(1, 9))
    for steps, left in ((2, "2"), (4, "3"), (7, "3")):
        with interrupted_after(steps):
            assert train(cut, "--resume") == 130
        assert steps_of(cut) == left, "until weights count, the last stand in for them"
    assert train(cut, "--resume") == 0
    expected = load_file(fast)
    for path in (slow, cut):
        assert steps_of(path) == steps_of(fast) == "3"
        found = load_file(path)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_clock_chooses_where_time_ends_a_run(
    train: Train, set_clock: Callable[[float], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_clock(60.0)
    assert train(tmp_path / "w.safetensors", "--minutes", "5", "--interval", "1", "--json") == 0
    assert [report["step"] for report in reports(capsys)] == [1, 2, 3, 4, 5]
    assert steps_of(tmp_path / "w.safetensors") == "2"
