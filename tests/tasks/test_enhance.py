"""Pictures restored at their own size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import NotFiniteError, RestoreError
from restore_cli.networks import Network, Part
from restore_cli.picture.compression import Compression
from restore_cli.picture.depth import to_unit
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks import light
from restore_cli.tasks.enhance import Enhancer
from restore_cli.tasks.enhancers import Brightener, Cleaner, Decompressor, strength_for_luminance
from restore_cli.tasks.task import GroupingTask


class Brighter(Network):
    """Multiplies all values; the first channel by a little more."""

    architecture = "brighter"
    signature = frozenset()

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 1, 8, 8, 8, 100
        self.factor = factor
        self.runs = 0

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        self.runs += 1
        return x * self.factor


def restorer(factor: float) -> Restorer:
    return Restorer(Brighter(factor), Device(torch.device("cpu"), has_bf16=False), tile="off")


def dark(*shape: int, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> np.ndarray:
    full = int(np.iinfo(dtype).max)
    return np.random.default_rng(0).integers(0, full // 8, shape, dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_exactly_the_networks(dtype: type[np.unsignedinteger[Any]], channels: int) -> None:
    pixels = dark(9, 13, channels, dtype=dtype)
    result, run = Enhancer(restorer(2), model="m")(Picture(pixels))
    assert result.pixels.dtype == dtype
    assert (result.pixels == pixels * 2).all()
    assert run.notes == ()


def test_deep_shadows_of_16_bits_are_told_apart() -> None:
    levels = np.arange(0, 256, dtype=np.uint16).reshape(16, 16, 1)  # all of them 0 or 1 in 8 bits
    result, _ = Brightener(restorer(10), model="m")(Picture(levels, depth=16))
    assert len(np.unique(result.pixels)) == 256


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_mixes_in_linear_light(strength: float) -> None:
    pixels = dark(9, 13, 3, dtype=np.uint16)
    result, _ = Enhancer(restorer(3), model="m", strength=strength)(Picture(pixels))
    values = to_unit(pixels)
    expected = light.to_linear(values) * (1 - strength) + light.to_linear(values * 3) * strength
    assert np.abs(light.to_linear(to_unit(result.pixels)) - expected).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_of_what_is_cleaned_away_a_share_stays_in_encoded_values(channels: int) -> None:
    pixels = dark(9, 13, channels, dtype=np.uint16)
    result, _ = Cleaner(restorer(3), model="m", strength=0.25)(Picture(pixels))
    assert np.abs(result.pixels - pixels * 1.5).max() <= 0.5


@pytest.mark.parametrize("cleaner", [Cleaner, Enhancer])
def test_strength_0_leaves_the_picture_itself(cleaner: type[Enhancer]) -> None:
    picture = Picture(dark(9, 13, 3), beyond_srgb=np.ones((9, 13, 3), np.int32))
    task = cleaner(restorer(3), model="m", strength=0)
    assert task(picture)[0] is picture
    assert task.restorer._network.runs == 0


def test_alpha_stays_and_nothing_below_it_counts() -> None:
    alpha = np.zeros((16, 16), np.uint8)
    alpha[4:12, 4:12] = 255
    pixels = np.where(alpha[..., None] > 0, 20, 255).astype(np.uint8).repeat(3, axis=2)
    result, _ = Enhancer(restorer(2), model="m")(Picture(pixels, alpha))
    assert result.alpha is not None
    assert (result.alpha == alpha).all()
    assert (result.pixels[alpha > 0] == 40).all()
    assert (result.pixels[alpha == 0] == 255).all(), "in a game, hidden colours may have a meaning of their own"


def test_brightening_clips_colours_outside_srgb_and_says_so() -> None:
    beyond = np.full((4, 6, 3), -300, np.int32)
    result, run = Brightener(restorer(2), model="m", strength=1)(Picture(dark(4, 6, 3), beyond_srgb=beyond))
    assert result.beyond_srgb is None
    assert run.notes == ("colours outside sRGB were clipped",)


def test_what_was_rounded_is_no_colour_outside_srgb() -> None:
    beyond = np.full((4, 6, 3), -96, np.int32)
    _, run = Brightener(restorer(2), model="m", strength=1)(Picture(dark(4, 6, 3), beyond_srgb=beyond))
    assert run.notes == ()


@pytest.mark.parametrize("enhancer", [Enhancer, Cleaner, Decompressor])
def test_other_tasks_keep_colours_outside_srgb(enhancer: type[Enhancer]) -> None:
    beyond = np.full((4, 6, 3), -300, np.int32)
    result, run = enhancer(restorer(2), model="m")(Picture(dark(4, 6, 3), beyond_srgb=beyond))
    assert result.beyond_srgb is beyond
    assert run.notes == ()


@pytest.mark.parametrize(
    ("mean", "strength"), [(0, 1), (0.025, 1), ((0.025 * 0.075) ** 0.5, 0.5), (0.075, 0), (0.5, 0), (1, 0)]
)
def test_strength_falls_with_brightness(mean: float, strength: float) -> None:
    assert strength_for_luminance(mean) == pytest.approx(strength)


@pytest.mark.parametrize(("quality", "strength"), [(1, 1), (77, 1), (88, 0.5), (99, 0), (100, 0)])
def test_of_a_jpeg_of_high_quality_less_is_taken_out(quality: int, strength: float) -> None:
    picture = Picture(np.full((8, 8, 3), 100, np.uint8), compression=Compression("JPEG", quality))
    result, run = Decompressor(restorer(1.2))(picture)
    assert (result.pixels == 100 + round(20 * strength)).all()
    said = {0.5: "it was cleaned with strength 0.50", 0: "it was left as it is"}.get(strength)
    assert [said in note and f"JPEG of quality {quality}" in note for note in run.notes] == ([True] if said else [])
    assert run.untouched is (strength == 0)
    asked, run = Decompressor(restorer(1.2), strength=1)(picture)
    assert (asked.pixels == 120).all()
    assert run.notes == ()


@pytest.mark.parametrize("compression", [None, Compression("AVIF")])
def test_where_nothing_tells_the_quality_all_is_taken_out(compression: Compression | None) -> None:
    picture = Picture(np.full((8, 8, 3), 100, np.uint8), compression=compression)
    assert (Decompressor(restorer(1.2))(picture)[0].pixels == 120).all()


def test_a_bright_picture_is_left_as_it_is_and_never_meets_the_network() -> None:
    picture = Picture(np.full((8, 8, 3), 180, np.uint8), beyond_srgb=np.ones((8, 8, 3), np.int32))
    task = Brightener(restorer(2), model="m")
    result, run = task(picture)
    assert result is picture
    assert run.untouched
    assert task.restorer._network.runs == 0
    assert "not dark (mean luminance 0.456), so it was left as it is" in run.notes[0]


def test_a_bright_picture_is_brightened_on_request() -> None:
    picture = Picture(np.full((8, 8, 3), 100, np.uint8))
    result, run = Brightener(restorer(1.5), model="m", strength=1, preserve_highlights=False)(picture)
    assert (result.pixels == 150).all()
    assert run.notes == ()


def test_a_dim_picture_is_brightened_in_part_and_told_so() -> None:
    picture = Picture(np.full((8, 8, 3), 58, np.uint8))  # luminance 0.042
    result, run = Brightener(restorer(2), model="m")(picture)
    assert 58 < result.pixels[0, 0, 0] < 116
    assert "brightened with strength 0.5" in run.notes[0]


def test_highlights_are_preserved_unless_unwanted() -> None:
    pixels = np.full((100, 100, 1), 5, np.uint8)
    pixels[:5, :, 0] = np.linspace(100, 200, 100)
    kept, _ = Brightener(restorer(10), model="m", strength=1)(Picture(pixels))
    burnt, _ = Brightener(restorer(10), model="m", strength=1, preserve_highlights=False)(Picture(pixels))
    assert (burnt.pixels[:5] == 255).all()
    assert np.ptp(kept.pixels[0]) > 5
    assert (np.diff(kept.pixels[0, :, 0].astype(int)) >= 0).all()
    assert (kept.pixels[5:] == burnt.pixels[5:]).all()


def test_the_size_stays() -> None:
    assert Enhancer(restorer(2), model="m").output_size(4, 6) == (4, 6)


@pytest.mark.parametrize("task", [Enhancer, Cleaner, Brightener])
@pytest.mark.parametrize("strength", [None, 0.4, 0.0])
def test_each_of_a_group_becomes_what_it_becomes_alone(task: type[Enhancer], strength: float | None) -> None:
    grouping = task(restorer(2), model="m", strength=strength)
    assert isinstance(grouping, GroupingTask)
    alpha = np.zeros((9, 13), np.uint8)
    alpha[4:8, 4:12] = 255
    pictures = [
        Picture(dark(9, 13, 3)),
        Picture(np.full((9, 13, 3), 180, np.uint8)),  # too bright for a brightener
        Picture(dark(9, 13, 1)),
        Picture(dark(9, 13, 3, dtype=np.uint16), beyond_srgb=np.full((9, 13, 3), 9, np.int32)),
        Picture(dark(9, 13, 3), alpha),
    ]
    assert grouping.group_size(9, 13) >= len(pictures)
    outcomes = grouping.restore_group(pictures)
    assert grouping.restorer._network.runs == (0 if strength == 0 else 1)
    for picture, outcome in zip(pictures, outcomes, strict=True):
        assert not isinstance(outcome, RestoreError)
        expected, run = grouping(picture)
        assert outcome[1] == run
        assert (outcome[0].pixels == expected.pixels).all()
        assert (outcome[0].beyond_srgb is None) == (expected.beyond_srgb is None)


def test_an_average_over_turns_is_made_of_one_picture_at_a_time() -> None:
    assert Enhancer(restorer(2), model="m", tta=True).group_size(9, 13) == 1


def test_an_error_of_one_picture_stands_in_its_place() -> None:
    pictures = [Picture(dark(9, 13, 3)), Picture(np.zeros((9, 13, 3), np.uint8))]
    finite, error = Enhancer(restorer(float("inf")), model="m").restore_group(
        [Picture(np.full((9, 13, 3), 9, np.uint8)), *pictures[1:]]
    )
    assert isinstance(finite, NotFiniteError)
    assert isinstance(error, NotFiniteError)


@pytest.mark.parametrize(("task", "precision"), [(Enhancer, "fp32"), (Brightener, "fp32"), (Cleaner, "bf16")])
def test_deep_pictures_are_computed_in_float32_but_for_noise(task: type[Enhancer], precision: str) -> None:
    restorer = Restorer(Brighter(1.5), Device(torch.device("cpu"), has_bf16=True))
    for dtype, expected in ((np.uint8, "bf16"), (np.uint16, precision)):
        pictures = [Picture(dark(16, 24, 3, dtype=dtype)) for _ in range(2)]
        assert task(restorer, strength=1.0)(pictures[0])[1].precision == expected
        for result in task(restorer, strength=1.0).restore_group(pictures):
            assert not isinstance(result, RestoreError)
            assert result[1].precision == expected


def test_hidden_pixels_do_not_decide_how_dark_a_picture_is() -> None:
    alpha = np.zeros((32, 32), np.uint8)
    alpha[8:24, 8:24] = 255
    for seen, hidden, is_brightened in ((10, 255, True), (200, 0, False)):
        pixels = np.full((32, 32, 3), hidden, np.uint8)
        pixels[8:24, 8:24] = seen
        result, run = Brightener(restorer(2.0))(Picture(pixels, alpha))
        assert (result.pixels[8:24, 8:24] != seen).all() == is_brightened
        assert ("not dark" in "".join(run.notes)) != is_brightened
