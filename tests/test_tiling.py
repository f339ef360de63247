from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_cli.tiling import Box, plan_cores, round_up

grids = st.sampled_from([1, 2, 8, 16])
cells = st.integers(1, 40)
lengths = st.integers(1, 50)


@given(lengths, lengths, st.integers(1, 200), grids)
def test_cores_cover_the_area_once(height: int, width: int, side: int, grid: int) -> None:
    covered = np.zeros((height, width), int)
    for core in plan_cores(Box(0, 0, height, width), side, grid):
        covered[core.slices] += 1
    assert (covered == 1).all()


@given(lengths, lengths, st.integers(1, 200), grids)
def test_cores_lie_on_the_grid_and_are_no_larger_than_asked(height: int, width: int, side: int, grid: int) -> None:
    for core in plan_cores(Box(0, 0, height, width), side, grid):
        assert not any(edge % grid for edge in (core.top, core.left))
        assert core.bottom % grid == 0 or core.bottom == height
        assert core.right % grid == 0 or core.right == width
        assert 0 < max(core.height, core.width) <= round_up(side, grid)


@given(cells, st.integers(1, 200), grids)
def test_cores_are_about_equal(rows: int, side: int, grid: int) -> None:
    heights = [core.height for core in plan_cores(Box(0, 0, rows * grid, grid), side, grid)]
    assert max(heights) - min(heights) <= grid


def test_area_that_does_not_begin_at_the_corner() -> None:
    cores = plan_cores(Box(16, 32, 32, 16), 16, 16)
    assert cores == [Box(16, 32, 16, 16), Box(32, 32, 16, 16)]


@pytest.mark.parametrize(
    ("area", "side", "grid"), [(Box(0, 8, 16, 16), 16, 16), (Box(0, 0, 16, 16), 0, 16), (Box(0, 0, 0, 16), 16, 16)]
)
def test_impossible_plans_are_refused(area: Box, side: int, grid: int) -> None:
    with pytest.raises(ValueError, match="Box"):
        plan_cores(area, side, grid)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50), st.integers(0, 60))
def test_a_grown_box_stays_in_the_picture_and_holds_its_core(
    top: int, left: int, height: int, width: int, margin: int
) -> None:
    core = Box(top, left, height, width)
    outer = core.grown(margin, 100, 100)
    assert outer.top == max(0, top - margin)
    assert outer.right == min(100, core.right + margin)
    inner = core.within(outer)
    picture = np.arange(100 * 100).reshape(100, 100)
    assert (picture[outer.slices][inner.slices] == picture[core.slices]).all()


def test_a_scaled_box_is_the_same_part_of_a_larger_picture() -> None:
    picture = np.arange(12).reshape(3, 4)
    large = np.kron(picture, np.ones((4, 4), int))
    box = Box(1, 2, 2, 1)
    assert (large[box.scaled(4).slices] == np.kron(picture[box.slices], np.ones((4, 4), int))).all()
