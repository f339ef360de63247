"""Inputs are made as MATLAB makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_cli.training.imresize import imresize


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5/{}/butterfly.png", "Set5/{}/head.png"])
def test_the_test_sets_are_reproduced_to_the_bit(name: str, scale: int, shared: Path) -> None:
    folder = shared / "data" / "sr_test"
    expected = read(folder / name.format(f"LRbicx{scale}"))
    height, width = expected.shape[:2]
    original = read(folder / name.format("HR"))[: height * scale, : width * scale]
    assert np.array_equal(imresize(original, height, width), expected)


def test_the_same_size_changes_nothing() -> None:
    x = np.random.default_rng(1).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(imresize(x, 7, 5), x)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 8), (5, 5), (11, 16), (13, 31)])
def test_a_flat_picture_stays_flat(height: int, width: int) -> None:
    x = np.full((11, 16, 3), 77, np.uint8)
    resized = imresize(x, height, width)
    assert resized.shape == (height, width, 3)
    assert (resized == 77).all()


def test_rows_and_columns_are_not_mixed_up() -> None:
    x = np.zeros((8, 8, 3), np.uint8)
    x[:4] = 200
    reduced = imresize(x, 2, 4)
    assert reduced.shape == (2, 4, 3)
    assert (reduced == reduced[:, :1]).all()
    assert (reduced[0] > reduced[1] + np.uint8(150)).all()
