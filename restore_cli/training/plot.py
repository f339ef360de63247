"""A picture of a run: the loss and the validation over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from restore_cli.training.session import Report


def plot_history(history: Sequence[Report], title: str, path: Path) -> None:
    """Draw loss, logarithmic where it can be, and PSNR over the steps into a PNG."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    steps, losses = [report.step for report in history], [report.loss for report in history]
    (loss,) = left.plot(steps, losses, color="tab:blue", label="loss")
    (psnr,) = right.plot(steps, [report.psnr for report in history], color="tab:orange", label="PSNR (held out)")
    left.set_yscale("log" if min(losses) > 0 else "linear")
    left.set_xlabel("steps")
    left.set_ylabel("loss")
    right.set_ylabel("PSNR of luma (dB)")
    left.set_title(title)
    left.legend(handles=[loss, psnr], loc="center right")
    figure.savefig(path, format="png", dpi=100)
