"""Each part of the loss is weighted, and compares what it says."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from restore_cli.training.loss import SMALLEST, loss_of
from restore_cli.training.recipe import Loss

SIZE = (2, 3, 8, 8)


def logarithms(difference: float) -> float:
    """Return the logarithmic loss of pictures that differ by a constant; luma spans 219 of 255 levels."""
    luma, everything = ((difference * span) ** 2 + SMALLEST for span in (219 / 255, 1))
    return math.log(luma) + math.log(everything) / 2


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"l1": 2.0}, 2 * 0.5),
        ({"teacher": 2.0}, 2 * 0.25),
        ({"fft": 1.0}, 0.5 * 64 / (2 * 8 * 5)),  # a constant has one frequency, of 8 x 5 complex numbers
        ({"teacher_fft": 1.0}, 0.25 * 64 / (2 * 8 * 5)),
        ({"l1": 1.0, "teacher_fft": 1.0}, 0.5 + 0.25 * 64 / (2 * 8 * 5)),
        ({"psnr": 1.0}, logarithms(0.5)),
        ({"teacher_psnr": 2.0}, 2 * logarithms(0.25)),
    ],
)
def test_parts_compare_with_the_target_or_the_teacher(weights: dict[str, float], expected: float) -> None:
    none = {field.name: 0.0 for field in dataclasses.fields(Loss)}
    restored, target, teacher = torch.zeros(SIZE), torch.full(SIZE, 0.5), torch.full(SIZE, 0.25)
    loss = loss_of(restored, target, Loss(**none | weights), teacher)
    assert float(loss) == pytest.approx(expected)


def test_the_logarithm_counts_what_is_nearly_right_as_much_as_what_is_not() -> None:
    near, far = torch.full((1, 3, 8, 8), 0.01), torch.full((1, 3, 8, 8), 0.2)
    halves = {}
    for name, pictures in {"near": (near / 2, far), "far": (near, far / 2), "none": (near, far)}.items():
        halves[name] = float(loss_of(torch.cat(pictures), torch.zeros(2, 3, 8, 8), Loss(l1=0.0, psnr=1.0)))
    assert halves["none"] - halves["near"] == pytest.approx(halves["none"] - halves["far"], rel=0.05)
