from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.layers import upsampler
from restore_cli.layers.upsampler import PixelShuffle, enlarge, pixel_shuffle_head


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_pixels_are_shuffled_as_torch_does(scale: int, layout: torch.memory_format) -> None:
    x = torch.rand(2, 3 * scale**2, 5, 4).contiguous(memory_format=layout)
    assert torch.equal(PixelShuffle(scale)(x), F.pixel_shuffle(x, scale))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_a_head_adds_to_the_bilinearly_interpolated_picture(
    size: tuple[int, int], scale: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    head, x, features = (
        pixel_shuffle_head(4, scale).to(dtype),
        torch.rand(2, 3, *size),
        torch.randn(2, 4, *size).to(dtype),
    )
    expected = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False) + head(features)
    torch.testing.assert_close(enlarge(head, features, x), expected, rtol=0, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(enlarge(head, features, x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cells_made_in_bands_make_the_same_picture(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    head, x, features = pixel_shuffle_head(4, 2).to(dtype), torch.rand(1, 3, 19, 7), torch.randn(1, 4, 19, 7).to(dtype)
    with torch.no_grad():
        whole = enlarge(head, features, x)
        for pixels in (1, 4 * 7, 18 * 7):
            monkeypatch.setattr(upsampler, "BAND_PIXELS", pixels)
            torch.testing.assert_close(enlarge(head, features, x), whole, rtol=0, atol=1e-6)
