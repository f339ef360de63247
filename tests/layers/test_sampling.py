"""Positions between pixels: where they lie, what is read there, and that a part gives the same as the whole."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from restore_cli.layers.sampling import interpolate, pick, place_centres, repeat_border, sample

lengths = st.integers(1, 300)


@given(lengths, st.integers(1, 1200))
def test_centres_lie_where_pixels_of_that_size_have_theirs(have: int, wanted: int) -> None:
    centres = place_centres(have, wanted)
    assert len(centres) == wanted
    assert centres.cell == have / wanted
    for i in (0, wanted // 3, wanted - 1):
        exact = Fraction(2 * i + 1, 2) * Fraction(have, wanted) - Fraction(1, 2)
        pixel, fraction = int(centres.pixel[i]), float(centres.fraction[i])
        assert pixel == exact.__floor__()
        assert fraction == pytest.approx(float(exact - pixel), abs=1e-7)
        assert 0 <= fraction < 1


@given(lengths, st.integers(1, 1200), st.integers(0, 100), st.integers(0, 40))
def test_a_parts_centres_are_the_wholes_to_the_bit(have: int, wanted: int, start: int, origin: int) -> None:
    start = min(start, wanted)
    whole, part = place_centres(have, wanted), place_centres(have, wanted, start=start, origin=origin)
    assert torch.equal(part.pixel, whole.pixel[start:] - origin)
    assert torch.equal(part.fraction, whole.fraction[start:])
    assert torch.equal(part.phase, whole[start:].phase)


def test_a_fraction_that_rounds_to_one_stays_below_it() -> None:
    centres = place_centres(1, 2**27, start=2**26 - 1, stop=2**26 + 1)
    assert centres.pixel.tolist() == [-1, 0]
    assert centres.fraction.max() < 1
    assert centres.phase.abs().max() <= 0.5


@pytest.mark.parametrize("size", [(5, 9), (7, 12), (13, 30), (20, 36)])
def test_interpolation_and_nearest_pixels_are_those_of_torch(size: tuple[int, int]) -> None:
    x = torch.rand(2, 4, 5, 9)
    rows, columns = place_centres(5, size[0]), place_centres(9, size[1])
    pixels = x.permute(0, 2, 3, 1)
    plain = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(interpolate(pixels, rows, columns).permute(0, 3, 1, 2), plain)
    torch.testing.assert_close(interpolate(pixels, rows[2:4], columns).permute(0, 3, 1, 2), plain[:, :, 2:4])
    nearest = F.interpolate(x, size=size, mode="nearest-exact")
    assert torch.equal(pick(pixels, rows, columns).permute(0, 3, 1, 2), nearest)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 4]), st.floats(0, 20), st.integers(0, 9))
def test_moved_points_are_read_as_torch_reads_them(
    height: int, width: int, groups: int, reach: float, seed: int
) -> None:
    torch.manual_seed(seed)
    x = repeat_border(torch.rand(2, height, width, 8))
    rows, columns = place_centres(height, 2 * height + 1), place_centres(width, 3 * width)
    right, down = (reach * (2 * torch.rand(2, len(rows), len(columns), groups) - 1) for _ in range(2))
    with torch.no_grad():
        read = sample(x, rows, columns, right, down)
    torch.testing.assert_close(read, sample(x, rows, columns, right, down), rtol=0, atol=2e-5)  # by grid_sample
    with torch.no_grad():
        unmoved = sample(x, rows, columns, right * 0, down * 0)
    torch.testing.assert_close(unmoved, interpolate(x[:, 1:-1, 1:-1], rows, columns))


def test_nothing_is_asked_of_torch_that_old_ones_refuse_on_apple_silicon(monkeypatch: pytest.MonkeyPatch) -> None:
    grid_sample = F.grid_sample

    def sample_as_there(*arguments: Tensor, padding_mode: str = "zeros", **options: Any) -> Tensor:
        assert padding_mode != "border", "MPS: Unsupported Border padding mode"
        return grid_sample(*arguments, padding_mode=padding_mode, **options)

    monkeypatch.setattr(F, "grid_sample", sample_as_there)
    x = repeat_border(torch.rand(1, 3, 4001, 4))
    rows, columns = place_centres(3, 3), place_centres(4001, 4001)
    for reach in (-9000.0, 9000.0):
        offsets = torch.full((1, 3, 4001, 2), reach)
        with torch.no_grad():
            exact = sample(x, rows, columns, offsets, offsets)
        torch.testing.assert_close(sample(x, rows, columns, offsets, offsets), exact, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_part_reads_the_same_bits_as_the_whole() -> None:
    """37 of 4001 columns, from a piece that is wide enough for the offsets."""
    x = torch.rand(1, 3, 4001, 8)
    offsets = [2 * torch.rand(1, 7, 10803, 2) - 1 for _ in range(2)]
    rows, columns = place_centres(3, 7), place_centres(4001, 10803)
    whole = sample(repeat_border(x), rows, columns, *offsets)
    part = place_centres(4001, 10803, start=10650, stop=10687, origin=3940)
    piece = repeat_border(x[:, :, 3940:3962])
    assert torch.equal(sample(piece, rows, part, *(o[:, :, 10650:10687] for o in offsets)), whole[:, :, 10650:10687])
    assert torch.equal(interpolate(x[:, :, 3940:3962], rows, part), interpolate(x, rows, columns)[:, :, 10650:10687])


def test_gradients_reach_features_and_offsets() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 4, 5, 6, dtype=torch.float32, requires_grad=True)
    right, down = (torch.full((1, 8, 10, 2), 0.1, requires_grad=True) for _ in range(2))
    rows, columns = place_centres(4, 8), place_centres(5, 10)
    sample(repeat_border(x), rows, columns, right, down).square().sum().backward()
    for tensor in (x, right, down):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0
