"""Each part of the loss is weighted, and compares what it says."""

from __future__ import annotations

import pytest
import torch

from restore_cli.training.loss import loss_of
from restore_cli.training.recipe import Loss

SIZE = (2, 3, 8, 8)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"l1": 2.0}, 2 * 0.5),
        ({"teacher": 2.0}, 2 * 0.25),
        ({"fft": 1.0}, 0.5 * 64 / (2 * 8 * 5)),  # a constant has one frequency, of 8 x 5 complex numbers
        ({"teacher_fft": 1.0}, 0.25 * 64 / (2 * 8 * 5)),
        ({"l1": 1.0, "teacher_fft": 1.0}, 0.5 + 0.25 * 64 / (2 * 8 * 5)),
    ],
)
def test_parts_compare_with_the_target_or_the_teacher(weights: dict[str, float], expected: float) -> None:
    none: dict[str, float] = dict.fromkeys(("l1", "fft", "ssim", "teacher", "teacher_fft"), 0.0)
    restored, target, teacher = torch.zeros(SIZE), torch.full(SIZE, 0.5), torch.full(SIZE, 0.25)
    loss = loss_of(restored, target, Loss(**none | weights), teacher)
    assert float(loss) == pytest.approx(expected)
