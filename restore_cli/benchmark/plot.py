"""A picture of timings: a bar for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure


def plot_speeds(names: Sequence[str], speeds: Sequence[float], path: Path) -> None:
    """Draw `speeds`, in megapixels of input a second, into a PNG; the first bar is the topmost."""
    figure = Figure(figsize=(8, 1 + 0.35 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(names)), speeds, tick_label=list(names))
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("megapixels of input a second")
    figure.savefig(path, format="png", dpi=100)
