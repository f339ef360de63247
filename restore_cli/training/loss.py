"""What training minimises."""

from __future__ import annotations

import torch
from pytorch_msssim import ssim
from torch import Tensor

from restore_cli.metrics import LUMA
from restore_cli.training.recipe import Loss

SMALLEST = 1e-6
"""Mean squared difference, of samples from 0 to 1, below which pictures count as equal: a PSNR of 60 dB."""


def loss_of(restored: Tensor, target: Tensor, weights: Loss, teacher: Tensor | None = None) -> Tensor:
    """Return the weighted loss of pictures (n, 3, h, w float32); `teacher` is what another network made of the input.

    The spectra are those of Cho et al., Rethinking Coarse-to-Fine Approach in Single Image Deblurring, ICCV 2021,
    arXiv:2108.05054, by rfft2. The logarithm of squared differences is the loss of Chen et al., HINet: Half Instance
    Normalization Network for Image Restoration, CVPR Workshops 2021, arXiv:2105.06086.
    """
    total = restored.new_zeros(())
    if weights.l1:
        total = total + weights.l1 * (restored - target).abs().mean()
    if weights.fft:
        total = total + weights.fft * _spectral_difference(restored, target)
    if weights.ssim:
        total = total + weights.ssim * (1 - ssim(restored, target, data_range=1.0))
    if weights.psnr:
        total = total + weights.psnr * _logarithmic_difference(restored, target)
    if teacher is not None:
        total = total + weights.teacher * (restored - teacher).abs().mean()
        if weights.teacher_fft:
            total = total + weights.teacher_fft * _spectral_difference(restored, teacher)
        if weights.teacher_psnr:
            total = total + weights.teacher_psnr * _logarithmic_difference(restored, teacher)
    return total


def _logarithmic_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean over pictures of the logarithm of the squared error: of luma, and half that of all channels."""
    difference = x - y
    luma = (difference * difference.new_tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
    of_luma, of_all = ((each.square().mean(dim=(1, 2, 3)) + SMALLEST).log() for each in (luma, difference))
    return (of_luma + of_all / 2).mean()


def _spectral_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean absolute difference of the real and imaginary parts of two spectra."""
    return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()
