"""Each degradation does what it is called, as strongly as it says, and the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.srgb import to_linear
from restore_cli.training import degradations
from restore_cli.training.degradations import compressed, degrade, noisy
from restore_cli.training.recipe import Degradations

from .conftest import draw

KINDS = ("bicubic", "photo", "dark", "noise", "jpeg")


def flat(level: int) -> np.ndarray:
    return np.full((128, 128, 3), level, np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_input(kind: str) -> None:
    recipe = Degradations(kind=kind, scale=2 if kind in ("bicubic", "photo") else 1)
    side = 32 if kind in ("bicubic", "photo") else 64
    x = draw(64, 64, 5)
    made = [degrade(x.copy(), side, side, recipe, np.random.default_rng(4)) for _ in range(2)]
    assert made[0].shape == (side, side, 3)
    assert made[0].dtype == np.uint8
    assert np.array_equal(*made)
    if kind != "bicubic":
        assert not np.array_equal(made[0], degrade(x.copy(), side, side, recipe, np.random.default_rng(8)))


@pytest.mark.parametrize("level", [5.0, 25.0, 50.0])
def test_noise_has_the_level_asked_for(level: float) -> None:
    random = np.random.default_rng(1)
    for _ in range(6):  # of both sorts: in the middle of the range they are equally strong
        noise = noisy(flat(128), level, random).astype(float) - 128
        assert abs(noise.mean()) < 0.05 * level
        assert noise.std() == pytest.approx(level, rel=0.03)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_asked_share_of_noise_is_weaker_and_a_cameras(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[tuple[bool, float]] = []

    def note(x: np.ndarray, level: float, random: Any, *, from_camera: bool = False) -> np.ndarray:
        levels.append((from_camera, level))
        return x

    monkeypatch.setattr(degradations, "noisy", note)
    recipe = Degradations(kind="noise", noise=(20, 20), camera=share, quality=(100, 100))
    random, x = np.random.default_rng(6), draw(16, 16, 3)
    unchanged = [np.array_equal(degrade(x, 16, 16, recipe, random), x) for _ in range(200)]
    cameras = [level for from_camera, level in levels if from_camera]
    assert abs(len(cameras) / 200 - share) < 0.1
    assert set(cameras) <= {degradations.CAMERA_STRENGTH * 20}
    compressed_share = 1 - np.mean(unchanged)
    assert abs(compressed_share - share * degradations.CAMERA_COMPRESSED) < 0.1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_asked_share_of_pictures_gets_no_noise(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degradations, "noisy", lambda x, level, random, *, from_camera=False: x + np.uint8(100))
    recipe = Degradations(kind="noise", noise=(20, 20), clean=share, quality=(90, 90))
    random, x = np.random.default_rng(7), draw(16, 16, 3) // 3
    made = [degrade(x, 16, 16, recipe, random) for _ in range(200)]
    noisy_share = np.mean([abs(each.mean() - x.mean() - 100) < 5 for each in made])
    untouched_share = np.mean([np.array_equal(each, x) for each in made])
    assert abs(1 - noisy_share - share) < 0.1
    assert abs(untouched_share - share * (1 - degradations.CLEAN_COMPRESSED)) < 0.1


@pytest.mark.parametrize("level", [5.0, 20.0])
def test_noise_of_a_camera_has_the_level_asked_for(level: float) -> None:
    random = np.random.default_rng(1)
    noise = np.concatenate([noisy(flat(128), level, random, from_camera=True) for _ in range(6)]).astype(float) - 128
    assert noise.std() == pytest.approx(level, rel=0.05)


def test_some_noise_grows_with_the_light() -> None:
    random = np.random.default_rng(2)
    ratios = np.array([noisy(flat(200), 10, random).std() / noisy(flat(40), 10, random).std() for _ in range(60)])
    assert ratios.max() > 1.2
    assert 0.3 < np.mean(np.abs(ratios - 1) < 0.05) < 0.7  # of about half of the pairs, none depends on the light


def test_some_noise_is_the_same_in_all_channels() -> None:
    random = np.random.default_rng(5)
    grey = [bool((np.ptp(noisy(flat(128), 20, random), axis=2) == 0).all()) for _ in range(200)]
    assert 0.08 < np.mean(grey) < 0.25


def test_dark_pictures_keep_the_share_of_light_drawn_for_them() -> None:
    recipe = Degradations(kind="dark", exposure=(-1.0, -1.0), blur=(0.5, 0.5))
    made = degrade(flat(200), 128, 128, recipe, np.random.default_rng(3))
    light = to_linear(made / 255.0).mean() / to_linear(np.array(200 / 255.0))
    assert light == pytest.approx(0.1, rel=0.03)
    assert made.std() > 0.5


def test_lower_quality_is_further_from_the_picture() -> None:
    x = np.random.default_rng(6).integers(60, 200, (64, 64, 3), dtype=np.uint8)
    errors = [
        np.abs(compressed(x, (quality, quality), format, np.random.default_rng(1)).astype(int) - x).mean()
        for format in ("JPEG", "WEBP")
        for quality in (95, 40)
    ]
    assert 0 < errors[0] < errors[1]
    assert 0 < errors[2] < errors[3]


def test_photographs_are_compressed_before_or_after_they_are_reduced() -> None:
    recipe = Degradations(kind="photo", scale=2, blur=(0.0, 0.0), noise=(0.0, 0.0), quality=(40, 40))
    plain = Degradations(kind="bicubic", scale=2)
    random = np.random.default_rng(7)
    x = draw(128, 128, 9)
    reduced = degrade(x, 64, 64, plain, random)
    errors = [np.abs(degrade(x, 64, 64, recipe, random).astype(int) - reduced).mean() for _ in range(30)]
    assert min(errors) > 0
    assert max(errors) > 1.5 * min(errors)


def test_dark_pictures_need_not_be_blurred() -> None:
    random = np.random.default_rng(7)
    for blur in ((0.0, 0.0), (0.0, 0.3)):  # a third of them would be blurred
        recipe = Degradations(kind="dark", exposure=(0.0, 0.0), blur=blur)
        made = [degrade(draw(64, 64, 5), 64, 64, recipe, random) for _ in range(12)]
        assert all(picture.shape == (64, 64, 3) for picture in made)


def test_weak_noise_is_drawn_most(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[float] = []
    monkeypatch.setattr(degradations, "noisy", lambda x, level, random: levels.append(level))
    recipe, random = Degradations(kind="noise", noise=(0, 50)), np.random.default_rng(8)
    for _ in range(3000):
        degrade(flat(128), 128, 128, recipe, random)
    assert np.mean(levels) == pytest.approx(20, abs=1)  # where all were drawn as often, it would be 25
    assert 0 <= min(levels) < 1
    assert 49 < max(levels) <= 50


def test_most_jpegs_have_colours_of_half_the_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, save = [], Image.Image.save

    def look(image: Image.Image, file: Any, format: str, **options: Any) -> None:
        drawn.append(options["subsampling"])
        save(image, file, format, **options)

    monkeypatch.setattr(Image.Image, "save", look)
    recipe, random = Degradations(kind="jpeg"), np.random.default_rng(9)
    for _ in range(600):
        degrade(flat(128)[:8, :8], 8, 8, recipe, random)
    assert set(drawn) == {0, 2}
    assert np.mean(np.array(drawn) == 2) == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize(("blur", "least"), [((0.0, 2.0), 0.5), ((0.8, 2.0), 0.8), ((0.0, 0.3), 0.3)])
def test_dark_pictures_that_are_blurred_are_so_visibly(
    blur: tuple[float, float], least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    deviations: list[float] = []
    monkeypatch.setattr(degradations, "blurred", lambda x, deviation: deviations.append(deviation) or x)
    recipe, random = Degradations(kind="dark", blur=blur), np.random.default_rng(10)
    for _ in range(600):
        degrade(flat(128)[:8, :8], 8, 8, recipe, random)
    assert len(deviations) / 600 == pytest.approx(0.3, abs=0.06)
    assert least <= min(deviations) < least + 0.05
    assert max(deviations) <= blur[1]


def test_photographs_are_blurred_before_or_after_they_become_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(degradations, "blurred", lambda x, deviation: steps.append("blur") or x)
    monkeypatch.setattr(degradations, "noisy", lambda x, level, random: steps.append("noise") or x)
    recipe, random = Degradations(kind="photo", scale=2), np.random.default_rng(11)
    orders = set()
    for _ in range(20):
        steps.clear()
        degrade(flat(128)[:16, :16], 8, 8, recipe, random)
        orders.add(tuple(steps))
    assert orders == {("blur", "noise"), ("noise", "blur")}
