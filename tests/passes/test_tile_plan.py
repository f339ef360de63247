"""The size of tiles: they fit into memory, and nothing that fits reads less."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from restore_cli.device import Device
from restore_cli.networks.light_safmnpp import LightSAFMNPP
from restore_cli.passes.tile_plan import (
    BANDS_ALIVE,
    LARGEST_BAND,
    SMALLEST_TILE,
    TILE_FACTOR,
    TILE_FACTOR_REDUCED,
    TilePlanner,
)
from restore_cli.tiling import Box, plan_cores

NETWORK = LightSAFMNPP()
GRID = NETWORK.grid


def host_with(free: int) -> Device:
    """Return a processor with so many bytes of memory."""

    class Host(Device):
        def free_memory(self) -> int:
            return free

    return Host(torch.device("cpu"), has_bf16=True)


def planner(height: int, width: int, halo: int, free: int, *, reduced_precision: bool = False) -> TilePlanner:
    whole = Box(0, 0, height * GRID, width * GRID)
    return TilePlanner(NETWORK, host_with(free), "auto", whole, halo, reduced_precision=reduced_precision)


def pixels_read(whole: Box, width: int, height: int, halo: int) -> Iterator[int]:
    for core in plan_cores(whole, width, GRID, height):
        outer = core.grown(halo, whole.height, whole.width)
        yield outer.height * outer.width


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    halo=st.integers(0, 20).map(lambda cells: 8 * cells),
    free=st.integers(2_000_000, 2_000_000_000),
    row_bytes=st.integers(0, 20_000),
)
def test_tiles_fit_into_memory(height: int, width: int, halo: int, free: int, row_bytes: int) -> None:
    plan = planner(height, width, halo, free)
    core = plan.choose(row_bytes=row_bytes)
    cores = plan_cores(plan.whole, core.width, GRID, core.height)
    bands = BANDS_ALIVE * row_bytes * cores[0].height
    largest = max(pixels_read(plan.whole, core.width, core.height, halo))
    is_smallest = (core.width, core.height) == (SMALLEST_TILE, SMALLEST_TILE)
    assert is_smallest or bands + largest * round(TILE_FACTOR * NETWORK.bytes_per_pixel) <= free
    assert is_smallest or row_bytes * cores[0].height <= max(LARGEST_BAND, row_bytes * 4 * halo) + row_bytes * GRID


@pytest.mark.parametrize(("height", "width"), [(600, 1600), (1600, 600), (3000, 320), (320, 3000)])
def test_a_small_picture_goes_whole_however_long_it_is(height: int, width: int) -> None:
    core = planner(height // GRID, width // GRID, 48, 4_000_000_000).choose(row_bytes=12 * width)
    assert core.width >= width
    assert core.height >= height
    assert core.side == max(height, width)


@pytest.mark.parametrize("halo", [8, 48, 128])
@pytest.mark.parametrize(("height", "width"), [(2000, 3000), (3000, 1000), (400, 8000)])
@pytest.mark.parametrize("row_bytes", [0, 100_000])
def test_no_square_that_fits_reads_less(height: int, width: int, halo: int, row_bytes: int) -> None:
    free = 300_000_000
    plan = planner(height // GRID, width // GRID, halo, free)
    core = plan.choose(row_bytes=row_bytes)
    chosen = sum(pixels_read(plan.whole, core.width, core.height, halo))
    pixel_bytes = TILE_FACTOR * NETWORK.bytes_per_pixel
    for side in range(SMALLEST_TILE, 1024, GRID):
        if BANDS_ALIVE * row_bytes * side + (side + 2 * halo) ** 2 * pixel_bytes <= free:
            assert chosen <= 1.03 * sum(pixels_read(plan.whole, side, side, halo))


def test_tiles_in_reduced_precision_are_larger() -> None:
    areas = []
    for reduced in (False, True):
        core = planner(500, 500, 48, 500_000_000, reduced_precision=reduced).choose()
        areas.append((core.width + 96) * (core.height + 96))
    assert areas[1] / areas[0] == pytest.approx(TILE_FACTOR / TILE_FACTOR_REDUCED, rel=0.2)
