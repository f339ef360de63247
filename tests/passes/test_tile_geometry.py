"""Where tiles lie in a picture and in its result."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from restore_cli.passes.tile_geometry import TileGeometry
from restore_cli.tiling import Box, plan_cores, round_up

GRID = 8
sides = st.integers(1, 90)


def geometry(height: int, width: int, size: tuple[int, int], halo: int) -> TileGeometry:
    return TileGeometry(height, width, Box(0, 0, round_up(height, GRID), round_up(width, GRID)), size, halo)


@settings(deadline=None)
@given(have=st.tuples(sides, sides), factor=st.floats(1, 4), side=st.integers(8, 64), halo=st.integers(0, 24))
def test_every_pixel_of_the_result_is_made_once_of_what_a_tile_reads(
    have: tuple[int, int], factor: float, side: int, halo: int
) -> None:
    size = (round(factor * have[0]), round(factor * have[1]))
    tiles = geometry(*have, size, halo)
    made = np.zeros(size, int)
    for core in plan_cores(tiles.whole, side, GRID):
        made[tiles.made_of(core).slices] += 1
        reads = tiles.read_by(core)
        assert reads.overlap(tiles.whole) == reads
        assert reads.overlap(core) == core
        rows, columns = tiles.rows(core), tiles.columns(core)
        assert (len(rows), len(columns)) == (tiles.made_of(core).height, tiles.made_of(core).width)
    assert (made == 1).all()


def test_tiles_of_one_size_are_alike_to_a_continuous_network_only_where_its_pixels_fall_alike() -> None:
    first, second, last = plan_cores(Box(0, 0, 16, 48), 16, GRID)
    whole = geometry(16, 48, (32, 96), 0)
    fraction = geometry(16, 48, (17, 50), 0)
    assert whole.are_alike(first, second, is_continuous=True)
    assert fraction.are_alike(first, second, is_continuous=False)
    assert not fraction.are_alike(first, second, is_continuous=True)
    assert not geometry(16, 48, (32, 96), 8).are_alike(second, last, is_continuous=False), "the last has one halo"
