"""From a recipe and folders of photographs to weights."""

CHECKPOINT_SUFFIX, PLOT_SUFFIX = ".checkpoint", ".png"
"""Endings of what lies beside the weights of a run."""
