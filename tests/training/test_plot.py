"""A run is drawn whatever its loss is: those of logarithms fall below 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_cli.training.plot import plot_history
from restore_cli.training.run_state import Report


@pytest.mark.parametrize("losses", [(0.2, 0.1), (0.1, -0.2), (0.0, 0.0), (None, 0.1), (None,)])
def test_losses_of_any_sign_are_drawn(losses: tuple[float | None, ...], tmp_path: Path) -> None:
    history = [Report(10 * index, 1.0, loss, 30.0, 5.0) for index, loss in enumerate(losses)]
    plot_history(history, "a run", tmp_path / "run.png")  # a warning would be an error
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_a_single_report_is_seen(tmp_path: Path) -> None:
    plot_history([Report(10, 1.0, 0.1, 30.0, 5.0)], "a run", tmp_path / "run.png")
    pixels = np.asarray(Image.open(tmp_path / "run.png").convert("RGB")).astype(int)
    middle = pixels[60:-60, 150:450]  # without the legend, which has both colours, too
    for colour in ((31, 119, 180), (255, 127, 14)):
        assert (np.abs(middle - colour).max(axis=2) < 20).any()
