from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.layers.upsampler import PixelShuffle


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_pixels_are_shuffled_as_torch_does(scale: int, layout: torch.memory_format) -> None:
    x = torch.rand(2, 3 * scale**2, 5, 4).contiguous(memory_format=layout)
    assert torch.equal(PixelShuffle(scale)(x), F.pixel_shuffle(x, scale))
