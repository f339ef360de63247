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
    parts = [
        (weights.l1, _absolute_difference, target),
        (weights.fft, _spectral_difference, target),
        (weights.ssim, _dissimilarity, target),
        (weights.psnr, _logarithmic_difference, target),
    ]
    if teacher is not None:
        parts += [
            (weights.teacher, _absolute_difference, teacher),
            (weights.teacher_fft, _spectral_difference, teacher),
            (weights.teacher_psnr, _logarithmic_difference, teacher),
        ]
    total = restored.new_zeros(())
    for weight, difference, wanted in parts:
        if weight:
            total = total + weight * difference(restored, wanted)
    return total


def _absolute_difference(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean()


def _dissimilarity(x: Tensor, y: Tensor) -> Tensor:
    unlike: Tensor = 1 - ssim(x, y, data_range=1.0)
    return unlike


def _logarithmic_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean over pictures of the logarithm of the squared error: of luma, and half that of all channels."""
    difference = x - y
    luma = (difference * difference.new_tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
    of_luma, of_all = ((each.square().mean(dim=(1, 2, 3)) + SMALLEST).log() for each in (luma, difference))
    return (of_luma + of_all / 2).mean()


def _spectral_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean absolute difference of the real and imaginary parts of two spectra."""
    return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()
