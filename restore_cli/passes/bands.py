"""Steps of a network carried out on bands of rows, for pictures whose features do not fit the device in one piece."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import torch
from torch import Tensor

from restore_cli.device import Device, attempt
from restore_cli.errors import DeviceError
from restore_cli.layers.execution import NEARLY_ZERO, Executor, Gain, Measured, Step, mean_from, row_sums
from restore_cli.layers.hardware import memory_format
from restore_cli.memory import HeapTrimmer
from restore_cli.passes.planes import PlanePool

FREQUENCIES = 8192
"""Frequencies whose gain is computed at a time; with their channels they stay in a processor's cache."""
FEWEST_PIXELS = 1024
"""A band is not made smaller than this when memory runs out."""
CHANNELS = 32
"""Of planes with more channels than these a band has fewer pixels, so that it takes no more memory."""
BYTES_PER_PIXEL = 12 * CHANNELS * 4
"""Memory that a step takes for a pixel of a band at the most, in what its widest layers hold."""
Made = TypeVar("Made")


class InBands(Executor):
    """Carries out every step on bands of whole rows, on planes that lie on the host or on the device.

    Only bands and groups of channels go to the device. Planes are channels_last, so that bands are contiguous; they are
    overwritten wherever a step allows it.
    """

    def __init__(self, device: Device, *, home: torch.device, pixels: int) -> None:
        """`home` is where planes lie, the host or the device; a band of CHANNELS channels has about `pixels` pixels."""
        self.device = device
        self.home = home
        self.pixels = pixels
        self._pool = PlanePool(device.host_memory)
        self._trim = HeapTrimmer(pixels * BYTES_PER_PIXEL, device.host_memory)
        self.effort = 0
        """Values computed so far, by which the share that is done can be told."""
        self.on_effort: Callable[[int], None] = lambda effort: None

    def local(self, step: Step, *planes: Tensor, halo: int = 0, grid: int = 1) -> Tensor:
        return self._gathered(step, planes, halo, grid, lambda rows: None)

    def pooled(self, step: Step, *planes: Tensor, halo: int) -> Measured:
        sums: list[Tensor] = []
        result = self._gathered(step, planes, halo, 1, lambda rows: sums.append(row_sums(rows)))
        return Measured(result, mean_from(sums, result))

    def updated(self, step: Step, x: Tensor, *planes: Tensor) -> Tensor:
        return self._updated(step, x, planes, lambda rows: None)

    def updated_and_pooled(self, step: Step, x: Tensor, *planes: Tensor) -> Measured:
        sums: list[Tensor] = []
        result = self._updated(step, x, planes, lambda rows: sums.append(row_sums(rows)))
        return Measured(result, mean_from(sums, result))

    def modulated(self, x: Tensor, normalise: Step, gain: Gain) -> Tensor:
        n, c, h, w = x.shape
        flat = self._empty((n, c, h * w), torch.float32)
        planes = flat.view(n, c, h, w)
        spectrum = self._empty((n, c, h, w // 2 + 1), torch.complex64)

        def take_in(top: int, bottom: int) -> None:
            by_channel(normalise(self._there(x[:, :, top:bottom])), flat[..., top * w : bottom * w])

        def give_out(top: int, bottom: int) -> None:
            band = x[:, :, top:bottom]
            band.addcmul_(band, by_pixel(flat[..., top * w : bottom * w], w))

        self._in_bands(x, 1, take_in)
        for group in self._groups(x):
            spectrum[:, group] = torch.fft.rfft2(self._there(planes[:, group]))
            self._advance(planes[:, group].numel())
        self._amplify(spectrum.flatten(2), gain)
        for group in self._groups(x):
            planes[:, group] = torch.fft.irfft2(self._there(spectrum[:, group]), s=(h, w))
            self._advance(planes[:, group].numel())
        del spectrum
        self._in_bands(x, 1, give_out)
        return x

    def _amplify(self, frequencies: Tensor, gain: Gain) -> None:
        """Multiply `frequencies` (n, c, m complex) by their gain, in place."""
        for start in range(0, frequencies.shape[2], FREQUENCIES):
            part = frequencies[..., start : start + FREQUENCIES]
            part.real += NEARLY_ZERO
            torch.view_as_real(part).mul_(gain(self._there(part)).to(self.home)[..., None])
            self._advance(2 * part.numel())

    def _gathered(
        self, step: Step, planes: tuple[Tensor, ...], halo: int, grid: int, inspect: Callable[[Tensor], object]
    ) -> Tensor:
        """Return `step(*planes)`; `inspect` is called once with every band of it."""
        height = planes[0].shape[2]
        result: Tensor | None = None

        def work(top: int, bottom: int) -> Tensor:
            nonlocal result
            upper, lower = max(0, top - halo), min(height, bottom + halo)
            made = step(*(self._there(plane[:, :, upper:lower]) for plane in planes))
            ratio = Fraction(made.shape[2], lower - upper)
            made = made[:, :, int((top - upper) * ratio) : int((bottom - upper) * ratio)]
            if bottom - top == height:
                result = made.to(self.home)
            else:
                if result is None:
                    size = (made.shape[0], int(height * ratio), made.shape[3], made.shape[1])
                    result = self._empty(size, made.dtype).permute(0, 3, 1, 2)
                result[:, :, int(top * ratio) : int(bottom * ratio)] = made
            return made

        self._in_bands(planes[0], grid, work, inspect)
        assert result is not None
        return result

    def _updated(
        self, step: Step, x: Tensor, planes: tuple[Tensor, ...], inspect: Callable[[Tensor], object]
    ) -> Tensor:
        """Overwrite `x` with `step(x, *planes)`; `inspect` is called once with every band of it."""

        def update(top: int, bottom: int) -> Tensor:
            band = x[:, :, top:bottom]
            made = step(self._there(band), *(self._there(plane[:, :, top:bottom]) for plane in planes))
            if made.data_ptr() != band.data_ptr():
                band.copy_(made)
            return made

        self._in_bands(x, 1, update, inspect)
        return x

    def _in_bands(
        self,
        x: Tensor,
        grid: int,
        work: Callable[[int, int], Made],
        inspect: Callable[[Made], object] = lambda made: None,
    ) -> None:
        """Call `work` with the first row of each band of `x` and the row after its last; beginnings lie on `grid`.

        Where memory runs out in it, it is called again with a smaller band. `inspect` is called once with what it
        returned, when rows that are overwritten may not be computed again any more.

        Raises:
            DeviceError: the device is out of memory even with the smallest band.
        """
        height, width = x.shape[2:]
        counted = max(1, x.shape[1] // CHANNELS)  # a pixel of more than CHANNELS channels counts as several
        top = 0
        while top < height:
            bottom = min(top + max(1, self.pixels // counted // width // grid) * grid, height)
            made = attempt(work, top, bottom)
            if not made:
                self._halve((bottom - top) * width * counted, can_be_less=bottom - top > grid)
                continue
            inspect(made.pop())
            self._trim(self._pool.mapped)
            self._advance(x.shape[1] * (bottom - top) * width)
            top = bottom

    def _halve(self, tried: int, *, can_be_less: bool) -> None:
        self.device.release_memory()
        if not can_be_less or tried // 2 < FEWEST_PIXELS:
            raise DeviceError(
                f"{self.device.name} is out of memory even with bands of {tried} pixels",
                "close other programs, or use --device cpu",
            )
        self.pixels = tried // 2

    def _groups(self, x: Tensor) -> list[slice]:
        """Divide the channels of `x` into groups that hold about as much as a band."""
        count = max(1, self.pixels // (x.shape[2] * x.shape[3]))
        return [slice(start, start + count) for start in range(0, x.shape[1], count)]

    def _advance(self, effort: int) -> None:
        """Count what has been computed; what lies in scratch files need not stay in memory."""
        self._pool.release()
        self.effort += effort
        self.on_effort(self.effort)

    def _there(self, x: Tensor) -> Tensor:
        there = x.to(self.device.torch_device)
        return there if memory_format(there.device) is torch.channels_last else there.contiguous()

    def _empty(self, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        if self.home.type == "cpu":
            return self._pool.empty(size, dtype)
        return torch.empty(size, dtype=dtype, device=self.home)


def by_channel(x: Tensor, into: Tensor) -> None:
    """Lay the pixels of `x` (n, c, h, w float32) out channel by channel: n, c, h·w.

    A product with the identity, which is exact for finite values: on several cores no copy is as fast.
    """
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    for picture, planes in zip(x.permute(0, 2, 3, 1).flatten(1, 2), into, strict=True):  # h·w, c; c, h·w
        planes.copy_(identity @ picture.t())


def by_pixel(planes: Tensor, width: int) -> Tensor:
    """Turn planes (n, c, h·w float32) back into n, c, h, w in channels_last layout; finite values alone stay exact."""
    n, c, m = planes.shape
    pixels = planes.transpose(1, 2) @ torch.eye(c, dtype=planes.dtype, device=planes.device)  # n, h·w, c
    return pixels.view(n, m // width, width, c).permute(0, 3, 1, 2)
