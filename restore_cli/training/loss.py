"""What training minimises."""

from __future__ import annotations

import torch
from pytorch_msssim import ssim
from torch import Tensor

from restore_cli.training.recipe import Loss


def loss_of(restored: Tensor, target: Tensor, weights: Loss, teacher: Tensor | None = None) -> Tensor:
    """Return the weighted loss of pictures (n, 3, h, w float32); `teacher` is what another network made of the input.

    The spectra are those of Cho et al., Rethinking Coarse-to-Fine Approach in Single Image Deblurring, ICCV 2021,
    arXiv:2108.05054, by rfft2.
    """
    total = restored.new_zeros(())
    if weights.l1:
        total = total + weights.l1 * (restored - target).abs().mean()
    if weights.fft:
        difference = torch.view_as_real(torch.fft.rfft2(restored - target))
        total = total + weights.fft * difference.abs().mean()
    if weights.ssim:
        total = total + weights.ssim * (1 - ssim(restored, target, data_range=1.0))
    if teacher is not None:
        total = total + weights.teacher * (restored - teacher).abs().mean()
    return total
