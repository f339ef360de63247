"""A loaded network on a device: whole pictures in, whole pictures out, in tiles that leave no trace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from restore_cli.device import Device, Precision, choose_precision, is_out_of_memory
from restore_cli.errors import DeviceError, PictureError
from restore_cli.networks import Locality, Network
from restore_cli.tiling import Box, plan_cores, round_up

TilePolicy = Literal["auto", "off"] | int
"""How to cut a picture: by free memory, not at all, or into cores of so many input pixels a side."""
Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""

SMALLEST_TILE = 32
LARGEST_AUTO_TILE = 1024
LARGEST_AUTO_TILE_IN_HALOS = 16
"""`auto` cuts no larger tiles than the larger of these two: halos then cost about a quarter more at the most, and the
progress bar moves."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a picture was put through the network."""

    precision: Precision
    tile: int | None
    """Side of the largest tile's core in input pixels; None where the picture went through whole."""
    notes: tuple[str, ...] = ()


class Restorer:
    """A network, a device, a precision and a tile policy."""

    def __init__(self, network: Network, device: Device, *, precision: str = "auto", tile: TilePolicy = "auto") -> None:
        """Move `network` to `device` in `precision` (auto, fp32, bf16, fp16).

        Raises:
            DeviceError: the network is wrong in that precision, or does not fit the device.
        """
        self.device = device
        self.tile = tile
        self.scale = network.scale
        self.precision = choose_precision(precision, device, network.half_precisions)
        self._float32_network = network
        self._network = self._on_device(self.precision)

    def restore(self, picture: Tensor, progress: Progress = lambda share: None) -> tuple[Tensor, Run]:
        """Put `picture` (3, h, w float32 on the host, 0 to 1) through the network.

        Returns 3, h·scale, w·scale float32 on the host, and how it was done. A result that is not finite in reduced
        precision is done again in float32.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile.
            PictureError: the result is not finite in float32 either.
        """
        result, tile = self._restore(picture, self._network, progress)
        if torch.isfinite(result).all():
            return result, Run(self.precision, tile)
        if self.precision is not Precision.FP32:
            result, tile = self._restore(picture, self._on_device(Precision.FP32), progress)
            if torch.isfinite(result).all():
                note = f"{self.precision} gave values that are not finite, so it was done again in fp32"
                return result, Run(Precision.FP32, tile, (note,))
        raise PictureError("the network's result is not finite", "its weights may be damaged: restore models verify")

    def _on_device(self, precision: Precision) -> Network:
        network = copy.deepcopy(self._float32_network)
        if precision is not Precision.FP32:
            network = network.reduce_precision(precision.dtype)
        try:
            network.to(self.device.torch_device)
            return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise DeviceError(f"the network does not fit {self.device.name}", "use --device cpu") from error
            raise

    @torch.inference_mode()
    def _restore(self, picture: Tensor, network: Network, progress: Progress) -> tuple[Tensor, int | None]:
        height, width = picture.shape[1:]
        padded = pad_to_grid(picture, network.grid)  # 3, h', w'
        whole = Box(0, 0, *padded.shape[1:])
        side = self._tile_side(whole, network)
        statistic = self._measure(padded, network, side)
        result = torch.empty(3, whole.height * self.scale, whole.width * self.scale)
        left = plan_cores(whole, side, network.grid)[::-1]
        done = 0
        while left:
            core = left.pop()
            try:
                result[:, *core.scaled(self.scale).slices] = self._restore_core(padded, core, network, statistic)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                side = self._smaller(core, network, error)
                left += plan_cores(core, side, network.grid)[::-1]
                continue
            done += core.height * core.width
            progress(done / (whole.height * whole.width))
        tile = None if max(whole.height, whole.width) <= side else side
        return result[:, : height * self.scale, : width * self.scale], tile

    def _restore_core(self, padded: Tensor, core: Box, network: Network, statistic: Tensor | None) -> Tensor:
        outer = core.grown(self._halo(network), *padded.shape[1:])
        restored: Tensor = network(self._to_device(padded, outer), statistic)[0]  # 3, h, w
        return restored[:, *core.within(outer).scaled(self.scale).slices].cpu()

    def _measure(self, padded: Tensor, network: Network, side: int) -> Tensor | None:
        """Sum the network's statistic over the whole picture, tile by tile."""
        whole = Box(0, 0, *padded.shape[1:])
        if network.statistic_halo is None or max(whole.height, whole.width) <= side:
            return None
        total = None
        for core in plan_cores(whole, side, network.grid):
            outer = core.grown(network.statistic_halo, whole.height, whole.width)
            inner = core.within(outer)
            part = network.measure(self._to_device(padded, outer), inner.top, inner.left, inner.height, inner.width)
            total = part if total is None else total + part
        return total

    def _to_device(self, padded: Tensor, box: Box) -> Tensor:
        tile = padded[None, :, *box.slices]  # 1, 3, h, w
        return tile.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)

    def _halo(self, network: Network) -> int:
        """Return the halo in whole cells of the grid; `Network.receptive_field` says why precision matters."""
        reduced = network is self._network and self.precision is not Precision.FP32
        return round_up(network.receptive_field if reduced else network.halo, network.grid)

    def _tile_side(self, whole: Box, network: Network) -> int:
        longest = max(whole.height, whole.width)
        if self.tile == "off" or (self.tile == "auto" and network.locality is Locality.GLOBAL):
            return longest
        if self.tile != "auto":
            return round_up(self.tile, network.grid)
        pixels = self.device.free_memory() // 2 // network.bytes_per_pixel
        halo = self._halo(network)
        largest = max(LARGEST_AUTO_TILE, LARGEST_AUTO_TILE_IN_HALOS * halo)
        if longest <= largest and whole.height * whole.width <= pixels:
            return longest
        return round_up(min(max(int(pixels**0.5) - 2 * halo, SMALLEST_TILE), largest), network.grid)

    def _smaller(self, core: Box, network: Network, error: BaseException) -> int:
        side = round_up(max(core.height, core.width) // 2, network.grid)
        if self.tile == "off" or side < SMALLEST_TILE or side >= max(core.height, core.width):
            hint = "use --tile auto" if self.tile == "off" else "close other programs, or use --device cpu"
            raise DeviceError(f"{self.device.name} is out of memory", hint) from error
        self.device.release_memory()
        return side


def pad_to_grid(picture: Tensor, grid: int) -> Tensor:
    """Extend `picture` (c, h, w) by reflection below and to the right until its sides are multiples of `grid`."""
    height, width = picture.shape[1:]
    rows = _reflected(height, round_up(height, grid))
    columns = _reflected(width, round_up(width, grid))
    return picture[:, rows][:, :, columns]


def _reflected(length: int, padded: int) -> Tensor:
    """Return the indices 0 .. length-1 .. 0 .. of a reflection that repeats no edge; `padded` of them."""
    period = max(2 * (length - 1), 1)
    folded = torch.arange(padded) % period
    return torch.minimum(folded, period - folded) if length > 1 else torch.zeros(padded, dtype=torch.long)
