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
        total = total + weights.fft * _spectral_difference(restored, target)
    if weights.ssim:
        total = total + weights.ssim * (1 - ssim(restored, target, data_range=1.0))
    if teacher is not None:
        total = total + weights.teacher * (restored - teacher).abs().mean()
        if weights.teacher_fft:
            total = total + weights.teacher_fft * _spectral_difference(restored, teacher)
    return total


def _spectral_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean absolute difference of the real and imaginary parts of two spectra."""
    return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()
