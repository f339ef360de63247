from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.layers.safm import pool_by


@pytest.mark.parametrize("size", [(16, 24), (17, 24), (16, 31), (9, 15)])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_pooling_is_the_adaptive_one_on_and_off_the_grid(size: tuple[int, int], factor: int) -> None:
    x = torch.randn(2, 3, *size)
    expected = F.adaptive_max_pool2d(x, (size[0] // factor, size[1] // factor))
    assert torch.equal(pool_by(x, factor), expected)


def test_features_smaller_than_a_cell_are_refused() -> None:
    with pytest.raises(ValueError, match="7x9"):
        pool_by(torch.zeros(1, 1, 7, 9), 8)
