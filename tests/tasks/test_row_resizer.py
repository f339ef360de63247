"""A picture is resized as Pillow resizes it, in whatever portions its rows come."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_cli.tasks.resampling import resize
from restore_cli.tasks.row_resizer import RowResizer

SIZES = [
    ((200, 300), (100, 150)),
    ((64, 64), (63, 64)),
    ((400, 4), (7, 1)),
    ((333, 257), (100, 77)),
    ((1, 1), (1, 1)),
    ((260, 70), (65, 69)),
    ((90, 70), (100, 105)),
    ((90, 70), (100, 35)),
]


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, channels), np.float32)


@pytest.mark.parametrize(("have", "wanted"), SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_result_is_pillows(have: tuple[int, int], wanted: tuple[int, int], channels: int) -> None:
    larger = picture(*have, channels)
    resized = RowResizer(have, wanted).add(larger)
    assert resized.dtype == np.float32
    assert resized.shape == (*wanted, channels)
    assert np.abs(resized - resize(larger, *wanted)).max() < 1e-6


@given(st.sets(st.integers(1, 332), max_size=12), st.booleans())
def test_portions_make_no_difference(cuts: set[int], is_planar: bool) -> None:
    larger = picture(333, 57)
    whole = RowResizer((333, 57), (100, 17)).add(larger)
    if is_planar:  # as networks lay their results out
        larger = np.ascontiguousarray(larger.transpose(2, 0, 1)).transpose(1, 2, 0)
    resizer, made = RowResizer((333, 57), (100, 17)), []
    for top, bottom in pairwise([0, *sorted(cuts), 333]):
        assert resizer.reached == sum(map(len, made))
        made.append(resizer.add(larger[top:bottom]))
    assert (np.concatenate(made) == whole).all()


def test_rows_come_out_as_soon_as_they_can() -> None:
    """Of 400 rows that become 100 each needs 12 above its centre and 12 below; 32 are made at a time."""
    resizer, larger = RowResizer((400, 8), (100, 2)), picture(400, 8)
    assert [len(resizer.add(larger[rows])) for rows in (slice(137), slice(137, 138), slice(138, 399))] == [0, 32, 64]
    assert len(resizer.add(larger[399:])) == 4
