"""How a network that looks at the whole picture is carried out: in one piece, or some rows at a time.

Such a network cannot be cut into tiles, but each of its steps can: a step is local (a few convolutions), or a mean over
the picture, or a Fourier transform of one channel after the other. The network says which; an executor does it. All
executors give the same numbers, so the result does not depend on how much memory there was.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore_cli.layers.hardware import has_float64

Step = Callable[..., Tensor]
"""From planes (n, c, h, w) to planes of a fixed multiple or fraction of h and w."""
Gain = Callable[[Tensor], Tensor]
"""From frequencies (n, c, m complex, none of them zero) to factors for them (n, c, m); each frequency for itself."""
NEARLY_ZERO = 1e-15
"""Stands in for frequencies that are zero, so that they have a phase: that of the positive real numbers. It is too
small to change any other."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Planes of a whole picture, and their mean."""

    planes: Tensor
    """n, c, h, w."""
    mean: Tensor
    """n, c, 1, 1, on the device that computes, with at least the precision of float32."""


class Executor(ABC):
    """Carries out the steps of a network."""

    @abstractmethod
    def local(self, step: Step, *planes: Tensor, halo: int = 0, grid: int = 1) -> Tensor:
        """Return `step(*planes)`; a row of it depends on no input further than `halo` rows away.

        Parts of the picture begin at multiples of `grid` rows.
        """

    @abstractmethod
    def pooled(self, step: Step, *planes: Tensor, halo: int) -> Measured:
        """Return `step(*planes)` as `local` does, and its mean."""

    @abstractmethod
    def updated(self, step: Step, x: Tensor, *planes: Tensor) -> Tensor:
        """Return `step(x, *planes)`, a step on every pixel for itself; it, too, may overwrite `x` with its result."""

    @abstractmethod
    def updated_and_pooled(self, step: Step, x: Tensor, *planes: Tensor) -> Measured:
        """Return `step(x, *planes)` as `updated` does, and its mean."""

    @abstractmethod
    def modulated(self, x: Tensor, normalise: Step, gain: Gain) -> Tensor:
        """Return `x + x * y`, where y is `normalise(x)` with every frequency of the picture multiplied by its gain.

        `normalise` is a step on every pixel for itself; `x` (n, c, h, w) may be overwritten with the result.
        """


class InOnePiece(Executor):
    """Hands over whole planes, as training needs it."""

    def local(self, step: Step, *planes: Tensor, halo: int = 0, grid: int = 1) -> Tensor:
        return step(*planes)

    def pooled(self, step: Step, *planes: Tensor, halo: int) -> Measured:
        result = step(*planes)
        return Measured(result, mean_of(result))

    def updated(self, step: Step, x: Tensor, *planes: Tensor) -> Tensor:
        result: Tensor = step(x, *planes)
        return result

    def updated_and_pooled(self, step: Step, x: Tensor, *planes: Tensor) -> Measured:
        return self.pooled(step, x, *planes, halo=0)

    def modulated(self, x: Tensor, normalise: Step, gain: Gain) -> Tensor:
        spectrum = torch.fft.rfft2(normalise(x)) + NEARLY_ZERO  # n, c, h, w // 2 + 1
        spectrum = spectrum * gain(spectrum.flatten(2)).view_as(spectrum)
        light: Tensor = torch.fft.irfft2(spectrum, s=x.shape[-2:])
        return x + x * light


IN_ONE_PIECE = InOnePiece()


def mean_of(planes: Tensor) -> Tensor:
    """Return the mean of planes (n, c, h, w) over the picture: n, c, 1, 1, in float32 or what is more precise."""
    if planes.requires_grad or torch.is_autocast_enabled(planes.device.type):  # which would round `row_sums`
        return mean_in_float32(planes)
    return mean_from([row_sums(planes)], planes)


def mean_in_float32(planes: Tensor) -> Tensor:
    """Return the mean as `mean_of` does, summed in float32 as networks are trained; it can be differentiated."""
    return planes.mean((2, 3), keepdim=True, dtype=torch.promote_types(planes.dtype, torch.float32))


def row_sums(planes: Tensor) -> Tensor:
    """Return the sums over the rows of planes (n, c, h, w): n, h, c, float64 where the device has it.

    The sum of a row does not depend on what other rows there are. It is a product with ones, the fastest way.
    """
    pixels = planes.permute(0, 2, 3, 1)  # n, h, w, c
    pixels = pixels.to(torch.promote_types(planes.dtype, torch.float32))
    sums = (pixels.new_ones(1, pixels.shape[2]) @ pixels)[:, :, 0]
    return sums.double() if has_float64(sums.device) else sums


def mean_from(sums: Sequence[Tensor], planes: Tensor) -> Tensor:
    """Return the mean of planes (n, c, h, w) whose bands, from the top down, have these `row_sums`: n, c, 1, 1."""
    mean = torch.cat(list(sums), dim=1).sum(dim=1) / (planes.shape[2] * planes.shape[3])
    return mean[..., None, None].to(torch.promote_types(planes.dtype, torch.float32))
