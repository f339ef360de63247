"""From a recipe and folders of photographs to weights, and what lies beside them."""

from __future__ import annotations

from pathlib import Path


def checkpoint_of(weights: Path) -> Path:
    """Return where the checkpoint lies of a run that writes `weights`."""
    return weights.with_suffix(".checkpoint")


def plot_of(weights: Path) -> Path:
    """Return where the plot lies of a run that writes `weights`."""
    return weights.with_suffix(".png")
