"""Drawings are many and different, sharp, and the same again from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.training import drawings
from restore_cli.training.drawings import LAYER_KINDS, TYPEFACES, LayerKind, draw_picture, typefaces
from restore_cli.training.textures import OVERSAMPLING, cloth, screen


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


@pytest.mark.parametrize("pattern", TYPEFACES)
def test_every_pattern_finds_typefaces(pattern: str) -> None:
    assert any(path.match(pattern) for path in typefaces())


def test_without_matplotlib_s_fonts_there_is_one_to_write_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings, "typefaces", list)
    written = np.array(drawings.LAYER_KINDS[0](192, 2, np.random.default_rng(3)))
    assert 0 < written.mean() < 255


@pytest.mark.parametrize(("kind", "least_kept", "lost"), [(screen, 0.4, 0.2), (cloth, 0.7, 0.55)])
def test_stripes_for_a_scale_are_still_there_when_reduced_by_it(
    kind: LayerKind, least_kept: float, lost: float
) -> None:
    kept = {scale: [_contrast_kept(kind, scale, reduced_by=4, seed=seed) for seed in range(16)] for scale in (1.0, 4.0)}
    assert min(kept[4.0]) > least_kept
    assert min(kept[1.0]) < lost


def _contrast_kept(kind: LayerKind, scale: float, reduced_by: int, seed: int) -> float:
    """Return the standard deviation of a reduced mask for `scale`, as a share of that of the mask."""
    mask = kind(768, scale, np.random.default_rng(seed))
    return float(np.std(mask.reduce(OVERSAMPLING * reduced_by)) / np.std(mask))
