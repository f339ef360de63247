from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import NotFiniteError, PictureError, RestoreError
from restore_cli.layers.sampling import Centres, pick
from restore_cli.networks import ContinuousNetwork, Network, Part
from restore_cli.networks.part import cut_core
from restore_cli.networks.safmn import SAFMN
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks.sizing import Sizing, count_passes, plan_sizes
from restore_cli.tasks.task import GroupingTask
from restore_cli.tasks.traits import Alpha
from restore_cli.tasks.upscale import Upscaler


class Repeating(Network):
    """Makes blocks of `scale` pixels of every pixel, and shifts one channel to tell turned from upright."""

    architecture = "repeating"
    signature = frozenset()

    def __init__(self, scale: int = 2, *, gradient: float = 0.0) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = scale, 4, 4, 4, 100
        self.gradient = gradient
        self.runs = 0

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        self.runs += 1
        slope = torch.linspace(0, self.gradient, x.shape[3])
        return cut_core(F.interpolate(x + slope, scale_factor=self.scale, mode="nearest"), part, self.scale)


class Picking(ContinuousNetwork):
    """Gives every output pixel the colour of the pixel that it lies in, and adds a slope down the rows."""

    architecture = "picking"
    signature = frozenset()
    sizes: ClassVar[list[tuple[int, int]]]
    """Of the results since one was built last; its copies add to them, too."""

    def __init__(self, *, gradient: float = 0.0) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 4, 4, 4, 4, 100
        self.gradient = gradient
        Picking.sizes = []

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def restore_at(self, x: Tensor, rows: Centres, columns: Centres, part: Part | None = None) -> Tensor:
        Picking.sizes.append((len(rows), len(columns)))
        picked = pick(x.permute(0, 2, 3, 1), rows, columns).permute(0, 3, 1, 2)
        return picked + torch.linspace(0, self.gradient, len(rows))[:, None]


def upscaler(sizing: Sizing, network: Network | None = None, *, strength: float = 1.0, tta: bool = False) -> Upscaler:
    cpu = Device(torch.device("cpu"), has_bf16=False)
    restorer = Restorer(network or Repeating(), cpu, tile="off")
    return Upscaler(restorer, sizing, model="repeating", strength=strength, tta=tta)


def noise(*shape: int, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_exactly_the_networks(dtype: type[np.unsignedinteger[Any]], channels: int) -> None:
    pixels = noise(7, 5, channels, dtype=dtype)
    result, run = upscaler(Sizing(scale=2))(Picture(pixels))
    assert result.pixels.dtype == dtype
    assert (result.pixels == pixels.repeat(2, axis=0).repeat(2, axis=1)).all()
    assert run.tile is None


@pytest.mark.parametrize(
    ("scale", "size"), [(1, (7, 5)), (1.5, (10, 8)), (2, (14, 10)), (3, (21, 15)), (16, (112, 80))]
)
def test_any_scale_gives_exactly_its_size(scale: float, size: tuple[int, int]) -> None:
    picture = Picture(np.full((7, 5, 3), 77, np.uint8), np.full((7, 5), 200, np.uint8))
    result, _ = upscaler(Sizing(scale=scale))(picture)
    assert result.pixels.shape == (*size, 3)
    assert (result.pixels == 77).all()
    assert result.alpha is not None
    assert result.alpha.shape == size
    assert (result.alpha == 200).all()


@pytest.mark.parametrize(
    ("scale", "target", "passes"),
    [(2, (10, 10), 1), (2, (20, 20), 1), (2, (21, 20), 2), (4, (160, 160), 2), (4, (41, 10), 2), (1, (10, 10), 1)],
)
def test_number_of_passes(scale: int, target: tuple[int, int], passes: int) -> None:
    assert count_passes(scale, 10, 10, *target) == passes


@pytest.mark.parametrize(
    ("scale", "sizes"),
    [
        (1, [(7, 5)]),
        (2.7, [(19, 14)]),
        (4, [(28, 20)]),
        (6, [(17, 12), (42, 30)]),
        (16, [(28, 20), (112, 80)]),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_continuous_network_lands_on_the_size(scale: float, sizes: list[tuple[int, int]], channels: int) -> None:
    pixels = noise(7, 5, channels)
    result, _ = upscaler(Sizing(scale=scale), Picking())(Picture(pixels, alpha=np.full((7, 5), 200, np.uint8)))
    assert Picking.sizes == sizes
    assert result.pixels.shape == (*sizes[-1], channels)
    assert set(np.unique(result.pixels)) <= set(np.unique(pixels))  # nothing was resampled
    assert result.alpha is not None
    assert (result.alpha == 200).all()


def test_a_continuous_network_takes_turned_pictures_to_turned_sizes() -> None:
    picture = Picture(np.full((7, 5, 3), 100, np.uint8))
    result, _ = upscaler(Sizing(scale=2.7), Picking(gradient=0.2), tta=True)(picture)
    assert Picking.sizes == [(19, 14), (19, 14), (14, 19), (14, 19)] * 2
    assert result.pixels.shape == (19, 14, 3)
    assert np.ptp(result.pixels.astype(int)) <= 1


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(1, 16))
def test_a_continuous_network_never_passes_more_often_than_its_scale_asks_for(
    height: int, width: int, scale: float
) -> None:
    wanted = Sizing(scale=scale).target(height, width)
    sizes = [(height, width), *plan_sizes(4, (height, width), wanted, is_continuous=True)]
    assert sizes[-1] == wanted
    assert len(sizes) - 1 <= (1 if scale <= 4 else 2)
    for before, after in pairwise(sizes):
        assert all(have <= got <= 4.6 * have for have, got in zip(before, after, strict=True))


def test_progress_over_several_passes_rises_to_the_end() -> None:
    shares: list[float] = []
    upscaler(Sizing(scale=7), tta=True)(Picture(noise(4, 4, 3)), shares.append)
    assert shares == sorted(shares)
    assert len(shares) == 3 * 8
    assert shares[-1] == pytest.approx(1)


def test_strength_blends_with_the_plainly_resized_picture() -> None:
    picture = Picture(noise(12, 12, 3))
    full = upscaler(Sizing(scale=2))(picture)[0].pixels.astype(float)
    none = upscaler(Sizing(scale=2), strength=0)(picture)[0].pixels.astype(float)
    half = upscaler(Sizing(scale=2), strength=0.5)(picture)[0].pixels.astype(float)
    inner = (full > 5) & (full < 250) & (none > 5) & (none < 250)  # where nothing was clipped
    assert np.abs(half - (full + none) / 2)[inner].max() <= 1
    assert np.abs(full - none).max() > 10


def test_strength_zero_is_the_plain_picture_whatever_the_network_says() -> None:
    picture = Picture(noise(6, 6, 3))
    one = upscaler(Sizing(scale=2), Repeating(gradient=0.9), strength=0)(picture)[0]
    other = upscaler(Sizing(scale=2), strength=0)(picture)[0]
    assert (one.pixels == other.pixels).all()


def test_tta_averages_what_a_network_does_in_one_direction() -> None:
    picture = Picture(np.full((8, 8, 3), 100, np.uint8))
    network = Repeating(gradient=0.2)
    plain = upscaler(Sizing(scale=2), network)(picture)[0].pixels
    averaged = upscaler(Sizing(scale=2), network, tta=True)(picture)[0].pixels
    assert np.ptp(plain.astype(int)) > 40
    assert np.ptp(averaged.astype(int)) <= 1


def test_tta_leaves_a_network_without_a_direction_as_it_is() -> None:
    picture = Picture(noise(5, 9, 3))
    plain = upscaler(Sizing(scale=2))(picture)[0].pixels
    assert (upscaler(Sizing(scale=2), tta=True)(picture)[0].pixels == plain).all()


def test_colours_under_transparency_do_not_bleed_out() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    alpha = np.zeros((16, 16), np.uint8)
    pixels[4:12, 4:12], alpha[4:12, 4:12] = 250, 255
    result, _ = upscaler(Sizing(scale=3))(Picture(pixels, alpha))
    assert result.alpha is not None
    assert result.pixels[result.alpha > 0].min() >= 249
    assert result.alpha.max() == 255
    assert result.alpha.min() == 0


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("alpha", "stays"), [("transparency", True), ("data", False)])
def test_colours_under_transparency_stay_where_the_size_does(alpha: str, stays: bool, together: bool) -> None:
    pixels, opacity = noise(16, 16, 3, dtype=np.uint16), np.full((16, 16), 65_535, np.uint16)
    opacity[3:9, 5:], opacity[10] = 0, 1
    beyond = np.random.default_rng(1).integers(-99, 99, pixels.shape, np.int32)
    task = upscaler(Sizing(scale=1), Repeating(gradient=0.5))
    task.alpha, task.whole_bytes = Alpha(alpha), 64
    picture = Picture(pixels, opacity, beyond)
    outcome = task.restore_group([picture])[0] if together else task(picture)
    assert not isinstance(outcome, RestoreError)
    result, hidden = outcome[0], opacity == 0
    assert result.beyond_srgb is not None
    assert bool((result.pixels[hidden] == pixels[hidden]).all()) is stays
    assert (result.beyond_srgb == beyond).all()
    assert (result.pixels[~hidden] != pixels[~hidden]).mean() > 0.5


def test_what_lies_beyond_srgb_grows_with_the_picture() -> None:
    beyond = np.full((4, 6, 3), -300, np.int32)
    result, _ = upscaler(Sizing(scale=2))(Picture(noise(4, 6, 3, dtype=np.uint16), beyond_srgb=beyond))
    assert result.beyond_srgb is not None
    assert result.beyond_srgb.shape == (8, 12, 3)
    assert (result.beyond_srgb == -300).all()


def test_what_lies_beyond_srgb_under_transparency_does_not_bleed_out() -> None:
    alpha, beyond = np.zeros((16, 16), np.uint16), np.full((16, 16, 3), 9_000, np.int32)
    alpha[4:12, 4:12], beyond[4:12, 4:12] = 65_535, -40
    grey = np.full((16, 16, 3), 30_000, np.uint16)
    result, _ = upscaler(Sizing(scale=3))(Picture(grey, alpha, beyond))
    assert result.alpha is not None
    assert result.beyond_srgb is not None
    assert (result.beyond_srgb[result.alpha > 0] == -40).all()


def test_a_picture_as_large_as_asked_for_is_left_alone() -> None:
    assert upscaler(Sizing(long_edge=20)).output_size(10, 20) is None
    assert upscaler(Sizing(long_edge=30)).output_size(10, 20) == (15, 30)
    with pytest.raises(PictureError):
        upscaler(Sizing(long_edge=400)).output_size(10, 20)


# Several pictures together


def varied(height: int, width: int) -> list[Picture]:
    """Pictures of one size that differ in all else."""
    alpha = np.zeros((height, width), np.uint8)
    alpha[2:5, 1:4] = 255
    return [
        Picture(noise(height, width, 3)),
        Picture(noise(height, width, 1)),
        Picture(noise(height, width, 3)[::-1], alpha),
        Picture(noise(height, width, 3, dtype=np.uint16), beyond_srgb=np.full((height, width, 3), 9, np.int32)),
    ]


@pytest.mark.parametrize("network", [Repeating, Picking])
@pytest.mark.parametrize("strength", [1.0, 0.6])
@pytest.mark.parametrize("sizing", [Sizing(scale=2), Sizing(scale=1.5), Sizing(width=7)])
def test_each_of_a_group_becomes_what_it_becomes_alone(
    network: type[Repeating | Picking], strength: float, sizing: Sizing
) -> None:
    task = upscaler(sizing, network(gradient=0.2), strength=strength)
    assert isinstance(task, GroupingTask)
    pictures = varied(6, 5)
    assert task.group_size(6, 5) >= len(pictures)
    for picture, outcome in zip(pictures, task.restore_group(pictures), strict=True):
        assert not isinstance(outcome, RestoreError)
        result, run = outcome
        expected, expected_run = task(picture)
        assert run == expected_run
        assert (result.pixels == expected.pixels).all()
        for array, wanted in ((result.alpha, expected.alpha), (result.beyond_srgb, expected.beyond_srgb)):
            assert (array is None) == (wanted is None)
            assert array is None or (array == wanted).all()


def test_deep_pictures_are_upscaled_in_float32() -> None:
    samples = np.linspace(0, 65535, 12 * 16 * 3).astype(np.uint16).reshape(12, 16, 3)
    restorer = Restorer(SAFMN(dim=8, n_blocks=1, upscaling_factor=2), Device(torch.device("cpu"), has_bf16=True))
    upscaler = Upscaler(restorer, Sizing(scale=2), model="tiny")
    deep, shallow = Picture(samples, depth=16), Picture((samples >> 8).astype(np.uint8))
    for picture, expected in ((deep, "fp32"), (shallow, "bf16")):
        ((_, together),) = upscaler.restore_group([picture])  # type: ignore[misc]
        assert together.precision == upscaler(picture)[1].precision == expected


def test_a_group_meets_the_network_once() -> None:
    task = upscaler(Sizing(scale=2))
    task.restore_group(varied(6, 5))
    assert task.restorer._network.runs == 1


@pytest.mark.parametrize(("sizing", "tta"), [(Sizing(scale=3), False), (Sizing(scale=2), True)])
def test_pictures_that_meet_the_network_more_than_once_go_alone(sizing: Sizing, tta: bool) -> None:
    assert upscaler(sizing, tta=tta).group_size(6, 5) == 1


def test_an_error_of_one_picture_stands_in_its_place() -> None:
    class Fussy(Repeating):
        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            return super().forward(torch.where(x.amax(dim=(1, 2, 3), keepdim=True) > 0.9, torch.nan, x))

    fine, bad = Picture(np.full((4, 4, 3), 50, np.uint8)), Picture(np.full((4, 4, 3), 250, np.uint8))
    first, second, third = upscaler(Sizing(scale=2), Fussy()).restore_group([fine, bad, fine])
    assert isinstance(second, NotFiniteError)
    for outcome in (first, third):
        assert not isinstance(outcome, RestoreError)
        assert (outcome[0].pixels == 50).all()
