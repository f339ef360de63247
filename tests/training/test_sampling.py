"""Where patches come from: photographs, pairs or drawings, and which place of them."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.training import sampling
from restore_cli.training.photographs import Collection, Example
from restore_cli.training.recipe import parse_recipe
from restore_cli.training.sampling import Batch, Sampler

from .conftest import TINY, draw

FLAT = Example(np.full((40, 48, 3), 77, np.uint8))


def sampler(added: str, *photographs: Example) -> Sampler:
    """Build a sampler by the tiny recipe with lines `added` to its patches."""
    recipe = parse_recipe(TINY.replace("batch = 4\n", f"batch = 4\n{added}\n"), "tiny")
    return Sampler(recipe, Collection(photographs, ()))


def batches(of: Sampler, count: int, seed: int = 0) -> list[Batch]:
    random = np.random.default_rng(seed)
    return [of.draw(random) for _ in range(count)]


@pytest.fixture(autouse=True)
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a tenth of a second."""
    monkeypatch.setattr(sampling, "DRAWINGS", 6)


def test_the_asked_share_of_patches_is_drawn() -> None:
    for share in (0.0, 0.4, 1.0):
        drawn = batches(sampler(f"drawn = {share}", FLAT), 60)
        differs = [not bool((target == 77 / 255).all()) for batch in drawn for target in batch.target]
        assert abs(np.mean(differs) - share) < 0.1
        told = [is_drawn for batch in drawn for is_drawn in batch.drawn.tolist()]
        assert told == differs


def test_drawings_are_the_same_whenever_they_are_first_asked_for() -> None:
    later = sampler("drawn = 1.0", FLAT)
    batches(later, 3, seed=1)
    for one, other in zip(batches(sampler("drawn = 1.0", FLAT), 5), batches(later, 5), strict=True):
        assert one.target.equal(other.target)
        assert one.input.equal(other.input)


def test_a_range_of_scales_need_not_hold_a_whole_one() -> None:
    recipe = parse_recipe(TINY.replace("scale = 2", "scales = [1.2, 1.8]", 1), "tiny")
    of = Sampler(recipe, Collection((FLAT,), ()))
    ratios = {batch.target.shape[2] / 8 for batch in batches(of, 20)}
    assert all(1.1 < ratio < 1.9 for ratio in ratios)
    assert len(ratios) > 3


def test_the_place_with_more_detail_is_taken() -> None:
    half = draw(120, 200, 1)
    half[:, :100] = 50  # nothing on the left
    flat = {places: _share_of_flat_patches(sampler(f"places = {places}", Example(half))) for places in (1, 2)}
    assert flat[1] > 0.35
    assert flat[2] < 0.6 * flat[1]


def test_photographs_are_drawn_alike_or_as_often_as_they_are_large() -> None:
    small, large = FLAT, Example(np.full((80, 96, 3), 200, np.uint8))
    for added, expected in (("", 0.5), ("by_area = true", 0.8)):
        targets = [target for batch in batches(sampler(added, small, large), 60) for target in batch.target]
        assert abs(np.mean([float(target.max()) > 0.5 for target in targets]) - expected) < 0.1


def test_patches_are_cut_from_what_was_reduced_by_up_to_the_least_factor() -> None:
    ramp = Example(np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 200, 3)))
    spans = {added: _spans(sampler(added, ramp)) for added in ("", "reduced = 0.5")}
    assert set(spans[""]) == {15}  # 16 pixels
    assert min(spans["reduced = 0.5"]) >= 15
    assert 25 < max(spans["reduced = 0.5"]) <= 31


def test_what_is_too_small_to_be_reduced_so_far_is_reduced_less() -> None:
    ramp = Example(np.tile(np.arange(40, dtype=np.uint8)[:, None, None], (1, 200, 3)))
    assert 18 <= max(_spans(sampler("reduced = 0.1", ramp))) <= 20  # 40 of its pixels for 32, of which 16 are kept


def test_contrast_is_lowered_around_any_level_down_to_the_least_factor() -> None:
    edges = Example(np.where(np.arange(48) % 2, 255, 0).astype(np.uint8)[None, :, None].repeat(40, 0).repeat(3, 2))
    assert all(float(target.min()) == 0 for batch in batches(sampler("", edges), 5) for target in batch.target)
    targets = [target for batch in batches(sampler("contrast = 0.2", edges), 40) for target in batch.target]
    spans = [float(target.max() - target.min()) for target in targets]
    middles = [float(target.max() + target.min()) / 2 for target in targets]
    assert 0.19 < min(spans) < 0.3
    assert 0.9 < max(spans) <= 1
    assert min(middles) < 0.3
    assert max(middles) > 0.7
    assert all((target == target[:1]).all() for target in targets), "grey stays grey"


def test_pairs_are_not_reduced() -> None:
    picture = draw(40, 48, 1)
    recipe = TINY.replace('kind = "bicubic"\nscale = 2', 'kind = "noise"').replace(
        "batch = 4", "batch = 4\nreduced = 0.2"
    )
    of = Sampler(parse_recipe(recipe, "tiny"), Collection((Example(picture, input=picture),), ()))
    for batch in batches(of, 5):
        assert batch.input.equal(batch.target)


@pytest.mark.parametrize(
    ("degradations", "grid", "side"),
    [
        ('kind = "noise"', 16, 192),
        ('kind = "noise"', 8, 200),
        ('kind = "bicubic"\nscale = 3', 8, 192),
        ('kind = "bicubic"\nscales = [1.0, 3.5]', 8, 196),
        ('kind = "noise"', 200, 200),
    ],
)
def test_inputs_to_validate_with_lie_on_the_grid(degradations: str, grid: int, side: int) -> None:
    recipe = parse_recipe(TINY.replace('kind = "bicubic"\nscale = 2', degradations), "tiny")
    (batch,) = Sampler(recipe, Collection((FLAT,), (Example(draw(201, 203, 1)),))).validation(grid)
    assert batch.target.shape[2:] == (side, side)
    assert all(length % grid == 0 for length in batch.input.shape[2:])


def _spans(of: Sampler) -> list[int]:
    """Return how many levels lie between the darkest and the brightest row or column of each patch."""
    targets = [target for batch in batches(of, 30) for target in batch.target]
    return [round(float(target.max() - target.min()) * 255) for target in targets]


def _share_of_flat_patches(of: Sampler) -> float:
    return float(np.mean([float(target.std()) < 0.01 for batch in batches(of, 60) for target in batch.target]))
