"""A picture of a run: the loss and the validation over the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from restore_cli.training.run_state import Report


def plot_history(history: Sequence[Report], title: str, path: Path) -> None:
    """Draw loss, logarithmic where it can be, and PSNR over the steps into a PNG."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    steps, scores = [report.step for report in history], [report.psnr for report in history]
    losses = [math.nan if report.loss is None else report.loss for report in history]
    (loss,) = left.plot(steps, losses, color="tab:blue", marker="s", markersize=4, label="loss")
    (psnr,) = right.plot(steps, scores, color="tab:orange", marker="o", markersize=2, label="PSNR (held out)")
    left.set_yscale("linear" if any(value <= 0 for value in losses) else "log")
    left.set_xlabel("steps")
    left.set_ylabel("loss")
    right.set_ylabel("PSNR of luma (dB)")
    left.set_title(title)
    left.legend(handles=[loss, psnr], loc="center right")
    figure.savefig(path, format="png", dpi=100)
