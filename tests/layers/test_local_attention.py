"""Local importance attention, whole and in parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from restore_cli.layers.local_attention import (
    CELL,
    RECEPTIVE_FIELD,
    STRIDE,
    WINDOW,
    FastLocalAttention,
    LocalAttention,
    Place,
    SoftPool,
    count_cells,
    place_pixels,
    stretch_columns,
    stretch_rows,
)

sides = st.integers(1, 90)


def stretch(cells: torch.Tensor, place: Place) -> torch.Tensor:
    """Return the stretched map, n, c, h, w."""
    lines = stretch_columns(cells, place.columns)
    return torch.cat([rows for _, rows in stretch_rows(lines, place.rows)], dim=1).permute(0, 3, 1, 2)


def whole(x: Tensor) -> Place:
    h, w = x.shape[-2:]
    return Place(place_pixels(0, h, h), place_pixels(0, w, w))


def soft_average(x: Tensor) -> Tensor:
    """Average windows of `x` (n, c, h, w) in float64, weighed by exponentials of the distance from their maximum."""
    windows = x.double().unfold(2, WINDOW, STRIDE).unfold(3, WINDOW, STRIDE).flatten(-2)
    return (windows.softmax(dim=-1) * windows).sum(dim=-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [(7, 7), (31, 40), (12, 9)])
def test_windows_are_averaged_by_exponentials(size: tuple[int, int], dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    x = (5 * torch.randn(2, 3, *size)).to(dtype)
    expected = soft_average(x)
    pooled = SoftPool()(x)
    assert pooled.dtype == dtype
    torch.testing.assert_close(pooled.double(), expected, rtol=torch.finfo(dtype).eps / 2, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [-60000.0, -1000.0, -30.0, 12.0, 50.0, 1000.0, 60000.0])
def test_no_value_is_too_large_or_too_small(size: float, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    x = (size * (1 + torch.rand(1, 1, 20, 20) / 16)).to(dtype)
    x[..., 9:] = 0
    pooled = SoftPool()(x)
    torch.testing.assert_close(pooled.double(), soft_average(x), rtol=torch.finfo(dtype).eps, atol=1e-6 * abs(size))


@torch.inference_mode()
def test_an_average_is_the_same_bits_whatever_lies_beside_its_window() -> None:
    torch.manual_seed(2)
    x = 4 * torch.randn(1, 8, 40, 40)
    beside = x.clone()
    beside[..., 30:, :] *= 2.7
    count = (30 - WINDOW) // STRIDE + 1
    assert torch.equal(SoftPool()(beside)[:, :, :count], SoftPool()(x)[:, :, :count])
    assert not torch.equal(SoftPool()(beside), SoftPool()(x))


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (20, 6)])
def test_a_side_shorter_than_a_window_is_one_window(size: tuple[int, int]) -> None:
    x = torch.randn(1, 2, *size)
    pooled = SoftPool()(x)
    assert pooled.shape[2:] == tuple(1 if side < WINDOW else (side - WINDOW) // STRIDE + 1 for side in size)
    first = x[..., :WINDOW, :WINDOW].flatten(2)
    expected = (first.softmax(dim=-1) * first).sum(dim=-1)
    torch.testing.assert_close(pooled[..., 0, 0], expected, rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(sides, sides)
def test_cells_are_counted_as_they_are_made(height: int, width: int) -> None:
    cells = LocalAttention(1, 1).body(torch.rand(1, 1, height, width))
    assert cells.shape[2:] == (count_cells(height), count_cells(width))


@settings(deadline=None, max_examples=50)
@given(sides, sides)
def test_a_whole_map_is_stretched_as_published(height: int, width: int) -> None:
    x = torch.empty(1, 3, height, width)
    cells = torch.rand(1, 3, count_cells(height), count_cells(width))
    expected = F.interpolate(cells, (height, width), mode="bilinear", align_corners=False)
    torch.testing.assert_close(stretch(cells, whole(x)), expected, rtol=0, atol=2e-6)


@settings(deadline=None, max_examples=100)
@given(st.integers(60, 400), st.integers(0, 60), st.integers(20, 80), st.sampled_from([torch.float32, torch.bfloat16]))
def test_a_part_of_a_map_is_stretched_as_in_the_whole(length: int, first: int, count: int, dtype: torch.dtype) -> None:
    cells = torch.rand(1, 2, count_cells(length), 1).to(dtype)
    columns = place_pixels(0, 1, 1)
    expected = stretch(cells, Place(place_pixels(0, length, length), columns))
    start = min(first * CELL, (length - 20) // CELL * CELL)
    stop = min(start + count * CELL, length)
    part = cells[:, :, start // CELL :][:, :, : count_cells(stop - start)]
    stretched = stretch(part, Place(place_pixels(start, stop - start, length), columns))
    margin = 2 * CELL  # what the halo of a tile is for
    inner = slice(margin if start else 0, stop - start - margin if stop < length else stop - start)
    assert torch.equal(stretched[:, :, inner], expected[:, :, start:stop][:, :, inner])


@pytest.mark.parametrize("length", [*range(96, 102), 600, 605])
def test_attention_sees_no_further_than_it_says(length: int) -> None:
    torch.manual_seed(3)
    x = torch.rand(1, 2, length, 2, requires_grad=True)
    rows = LocalAttention(2, 2)(x, whole(x), x).sum(dim=(0, 1, 3))
    reach = 0
    for row in (*range(20), *range(length // 2, length // 2 + 8), *range(length - 40, length)):
        (gradient,) = torch.autograd.grad(rows[row], x, retain_graph=True)
        seen = gradient.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
        reach = max(reach, int((seen - row).abs().max()))
    assert reach <= RECEPTIVE_FIELD
    assert reach == RECEPTIVE_FIELD or length != 600  # where cells drift furthest


@pytest.mark.parametrize("fast", [False, True])
def test_attention_can_be_trained(fast: bool) -> None:
    torch.manual_seed(3)
    x = torch.rand(1, 4, 16, 14, dtype=torch.float64, requires_grad=True)
    if fast:
        quick = FastLocalAttention(4).double()
        assert torch.autograd.gradcheck(quick, (x,))
    else:
        attention = LocalAttention(4, 2).double()
        assert torch.autograd.gradcheck(lambda x: attention(x, whole(x), x), (x,))


def test_attention_weighs_by_the_first_channel() -> None:
    x = torch.rand(1, 3, 12, 12)
    x[:, 0] = -100
    for result in (LocalAttention(3, 2)(x, whole(x), x), FastLocalAttention(3)(x)):
        assert result.abs().max() < 1e-30
