"""A run is drawn whatever its loss is: those of logarithms fall below 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from restore_cli.training.plot import plot_history
from restore_cli.training.session import Report


@pytest.mark.parametrize("losses", [(0.2, 0.1), (0.1, -0.2), (0.0, 0.0)])
def test_losses_of_any_sign_are_drawn(losses: tuple[float, ...], tmp_path: Path) -> None:
    history = [Report(10 * index, 1.0, loss, 30.0, 5.0) for index, loss in enumerate(losses)]
    plot_history(history, "a run", tmp_path / "run.png")  # a warning would be an error
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
