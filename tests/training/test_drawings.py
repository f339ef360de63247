"""Drawings are many and different, sharp, and the same again from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.training.drawings import LAYER_KINDS, OVERSAMPLING, LayerKind, draw_picture


def test_the_same_seed_draws_the_same_picture() -> None:
    pictures = [draw_picture(64, 2, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert pictures[0].shape == (64, 64, 3)
    assert pictures[0].dtype == np.uint8
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_most_pictures_have_sharp_edges() -> None:
    pictures = [draw_picture(96, 2, np.random.default_rng(seed)).astype(int) for seed in range(30)]
    steps = [np.abs(np.diff(picture, axis=1)).max() for picture in pictures]
    assert np.median(steps) > 80


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_kind_of_layer_leaves_ink_and_ground(kind: LayerKind) -> None:
    shares = [np.array(kind(192, 2, np.random.default_rng(seed))).mean() / 255 for seed in range(20)]
    assert min(shares) < 0.5
    assert 0.005 < np.mean(shares) < 0.7


def test_screens_for_a_scale_are_still_there_when_reduced_by_it() -> None:
    kept = {scale: [_contrast_kept(scale, reduced_by=4, seed=seed) for seed in range(16)] for scale in (1.0, 4.0)}
    assert min(kept[4.0]) > 0.4
    assert min(kept[1.0]) < 0.2


def _contrast_kept(scale: float, reduced_by: int, seed: int) -> float:
    """Return the standard deviation of a reduced screen for `scale`, as a share of that of the screen."""
    screen = LAYER_KINDS[-1](768, scale, np.random.default_rng(seed))
    return float(np.std(screen.reduce(OVERSAMPLING * reduced_by)) / np.std(screen))
