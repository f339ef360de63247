from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.layers.safm import CCM, SAFM, pool_by


@pytest.mark.parametrize("size", [(16, 24), (17, 24), (16, 31), (9, 15)])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_pooling_is_the_adaptive_one_on_and_off_the_grid(size: tuple[int, int], factor: int) -> None:
    x = torch.randn(2, 3, *size)
    expected = F.adaptive_max_pool2d(x, (size[0] // factor, size[1] // factor))
    assert torch.equal(pool_by(x, factor), expected)


def test_features_smaller_than_a_cell_are_refused() -> None:
    with pytest.raises(ValueError, match="7x9"):
        pool_by(torch.zeros(1, 1, 7, 9), 8)


@pytest.mark.parametrize("factors", [(1, 2, 4, 8), (1, 4, 8, 16)])
def test_on_the_grid_the_pyramid_is_the_published_one(factors: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    block, x = SAFM(16, factors=factors), torch.randn(2, 16, 32, 48)
    torch.testing.assert_close(block._pyramid(x), block._stretched_pyramid(x), rtol=0, atol=1e-6)


def test_skips_are_overwritten_other_than_in_training() -> None:
    torch.manual_seed(1)
    mixer, x = CCM(8, 16), torch.randn(1, 8, 5, 6).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    trained = mixer(x, skip=x)
    assert torch.equal(x, before)
    with torch.no_grad():
        mixed = mixer(x, skip=x)
    assert mixed.data_ptr() == x.data_ptr()
    torch.testing.assert_close(mixed, trained, rtol=0, atol=1e-6)


@torch.inference_mode()
def test_autocast_leaves_the_skip_in_its_precision() -> None:
    torch.manual_seed(0)
    safm, x = SAFM(8), torch.rand(1, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        modulated = safm(x, skip=x)
    assert modulated.dtype == torch.float32
    torch.testing.assert_close(modulated, safm(x, skip=x), rtol=0.01, atol=0.01)
