from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_cli.errors import PictureError, UsageError
from restore_cli.tasks.sizing import Sizing, parse_sizing


@pytest.mark.parametrize(
    ("sizing", "target"),
    [
        (Sizing(scale=4), (400, 800)),
        (Sizing(scale=1), (100, 200)),
        (Sizing(scale=2.7), (270, 540)),
        (Sizing(width=500), (250, 500)),
        (Sizing(height=250), (250, 500)),
        (Sizing(width=500, height=1000), (250, 500)),
        (Sizing(width=1000, height=250), (250, 500)),
        (Sizing(long_edge=300), (150, 300)),
    ],
)
def test_target_of_a_picture_of_200x100(sizing: Sizing, target: tuple[int, int]) -> None:
    assert sizing.target(100, 200) == target


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 4000), st.integers(1, 4000))
def test_a_frame_is_filled_and_not_overstepped(height: int, width: int, frame_height: int, frame_width: int) -> None:
    sizing = Sizing(width=frame_width, height=frame_height)
    if sizing.factor(height, width) > 16:
        return
    reached_height, reached_width = sizing.target(height, width)
    assert reached_height <= frame_height or reached_height == 1
    assert reached_width <= frame_width or reached_width == 1
    assert reached_height == frame_height or reached_width == frame_width


@pytest.mark.parametrize(
    "sides",
    [
        {},
        {"scale": 2, "width": 100},
        {"height": 9, "long_edge": 9},
        {"scale": 0.5},
        {"scale": 16.1},
        {"scale": float("nan")},
        {"scale": "2"},
        {"width": float("nan")},
        {"width": 50.5},
        {"height": "2"},
        {"width": 0},
        {"width": 0, "height": 9},
        {"long_edge": -1},
    ],
)
def test_a_sizing_asks_for_one_size_that_can_be(sides: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Sizing(**sides)


def test_large_enough_pictures_are_recognised() -> None:
    assert Sizing(long_edge=200).is_reached_by(100, 200)
    assert not Sizing(long_edge=201).is_reached_by(100, 200)
    assert Sizing(width=100, height=5000).is_reached_by(100, 200)
    assert not Sizing(scale=1).is_reached_by(100, 200)


def test_a_picture_that_would_grow_too_much_is_refused() -> None:
    with pytest.raises(PictureError, match="more than 16"):
        Sizing(width=3201).target(100, 200)


@pytest.mark.parametrize(
    ("sizing", "suffix"),
    [
        (Sizing(scale=4.0), "_x4"),
        (Sizing(scale=2.5), "_x2.5"),
        (Sizing(width=1920, height=1080), "_1920x1080"),
        (Sizing(width=1920), "_w1920"),
        (Sizing(height=1080), "_h1080"),
        (Sizing(long_edge=3840), "_l3840"),
    ],
)
def test_suffix(sizing: Sizing, suffix: str) -> None:
    assert sizing.suffix == suffix


def test_options_become_a_sizing() -> None:
    assert parse_sizing(None, None, None, None, None) is None
    assert parse_sizing(2.5, None, None, None, None) == Sizing(scale=2.5)
    assert parse_sizing(None, "1920X1080", None, None, None) == Sizing(width=1920, height=1080)
    assert parse_sizing(None, None, 1920, 1080, None) == Sizing(width=1920, height=1080)
    assert parse_sizing(None, None, None, None, 3840) == Sizing(long_edge=3840)


@pytest.mark.parametrize(
    "options",
    [
        (0.0, None, None, None, None),
        (0.99, None, None, None, None),
        (16.5, None, None, None, None),
        (-2.0, None, None, None, None),
        (float("nan"), None, None, None, None),
        (None, "1920", None, None, None),
        (None, "1920x", None, None, None),
        (None, "axb", None, None, None),
        (None, "0x10", None, None, None),
        (None, "-5x10", None, None, None),
        (None, None, 0, None, None),
        (None, None, None, -1, None),
        (None, None, None, None, 0),
        (2.0, "10x10", None, None, None),
        (2.0, None, 10, None, None),
        (None, "10x10", 10, None, None),
        (None, None, 10, None, 10),
    ],
)
def test_impossible_options_are_refused(
    options: tuple[float | None, str | None, int | None, int | None, int | None],
) -> None:
    with pytest.raises(UsageError):
        parse_sizing(*options)
