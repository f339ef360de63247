"""One picture on its way through one network, in tiles that leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from restore_cli.device import GIBIBYTE, Device, free_host_memory, succeeds_in_memory
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.networks import Locality, Network, Part
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


class TilePass:
    """A picture, padded to the network's grid if need be, the tiles still to do, and the canvas for their results.

    Only tiles go to the device. A tile that runs out of memory there is cut into smaller ones.
    """

    def __init__(
        self, picture: Tensor, network: Network, device: Device, policy: TilePolicy, *, reduced_precision: bool
    ) -> None:
        """Take `picture` (3, h, w float32 on the host) and a network that is on `device` already."""
        self.network = network
        self.device = device
        self.policy = policy
        self.height, self.width = picture.shape[1:]
        self.padded = pad_to_grid(picture, network.grid) if network.pads_to_grid else picture  # 3, h', w'
        self.whole = Box(0, 0, *self.padded.shape[1:])
        self.halo = round_up(network.receptive_field if reduced_precision else network.halo, network.grid)
        self.statistic: Tensor | None = None

    @torch.inference_mode()
    def run(self, progress: Progress) -> tuple[Tensor, int | None]:
        """Return the result (3, h·scale, w·scale float32 on the host) and the side of its tiles, None if it is whole.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile, or the host has none for the result.
            NotFiniteError: a value of the result is infinite or NaN.
        """
        scale = self.network.scale
        self._check_canvas()
        canvas = torch.empty(3, self.whole.height * scale, self.whole.width * scale)
        done = 0

        def restore(core: Box) -> None:
            nonlocal done
            if core != self.whole:
                self._measure(max(core.height, core.width))
            canvas[:, *core.scaled(scale).slices] = self._restore(core)
            done += core.height * core.width
            progress(done / (self.whole.height * self.whole.width))

        side = self._for_each_core(self._choose_side(), restore)
        whole = side >= max(self.whole.height, self.whole.width)
        return canvas[:, : self.height * scale, : self.width * scale], None if whole else side

    @property
    def _canvas_bytes(self) -> int:
        return 3 * 4 * self.whole.height * self.whole.width * self.network.scale**2

    def _check_canvas(self) -> None:
        """Refuse a result that would drive the host out of memory; Linux would kill the process instead of telling."""
        free = free_host_memory()
        if self._canvas_bytes > free:
            scale = self.network.scale
            raise DeviceError(
                f"a result of {self.width * scale}x{self.height * scale} pixels takes "
                f"{self._canvas_bytes / GIBIBYTE:.1f} GiB of memory, and {free / GIBIBYTE:.1f} GiB are free",
                "ask for a smaller size, or restore the picture in parts",
            )

    def _restore(self, core: Box) -> Tensor:
        outer = core.grown(self.halo, self.whole.height, self.whole.width)
        part = Part(outer, self.whole, self.statistic)
        restored: Tensor = self.network(self._on_device(outer), part)[0]  # 3, h, w
        kept = restored[:, *core.within(outer).scaled(self.network.scale).slices].cpu()
        check_finite(kept)
        return kept

    def _measure(self, side: int) -> None:
        """Sum the network's statistic over the whole picture in tiles, if it has one and it is not known yet."""
        halo = self.network.statistic_halo
        if halo is None or self.statistic is not None:
            return
        parts: list[Tensor] = []

        def measure(core: Box) -> None:
            outer = core.grown(halo, self.whole.height, self.whole.width)
            inner = core.within(outer)
            parts.append(self.network.measure(self._on_device(outer), inner.top, inner.left, inner.height, inner.width))

        self._for_each_core(side, measure)
        self.statistic = torch.stack(parts).sum(dim=0)

    def _on_device(self, box: Box) -> Tensor:
        tile = self.padded[None, :, *box.slices]  # 1, 3, h, w
        return tile.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)

    def _for_each_core(self, side: int, work: Callable[[Box], None]) -> int:
        """Call `work` on cores that cover the picture; where memory runs out, on smaller ones from there on.

        Returns the longest side that a core had at the end.
        """
        left = plan_cores(self.whole, side, self.network.grid)[::-1]
        while left:
            core = left.pop()
            if succeeds_in_memory(lambda: work(core)):  # noqa: B023 called at once
                continue
            self.device.release_memory()
            side = min(side, self._half(core))
            left = [part for bigger in [*left, core] for part in plan_cores(bigger, side, self.network.grid)[::-1]]
        return side

    def _half(self, core: Box) -> int:
        longest = max(core.height, core.width)
        side = round_up(longest // 2, self.network.grid)
        if self.policy == "off":
            raise DeviceError(f"{self.device.name} is out of memory with the picture in one piece", "use --tile auto")
        if side < SMALLEST_TILE or side >= longest:
            raise DeviceError(
                f"{self.device.name} is out of memory even with tiles of {longest} pixels",
                "close other programs, or use --device cpu",
            )
        return side

    def _choose_side(self) -> int:
        """Return the side of the first cores to try; that of the whole picture where it may go in one piece."""
        longest = max(self.whole.height, self.whole.width)
        if self.policy == "off" or (self.policy == "auto" and self.network.locality is Locality.GLOBAL):
            return longest
        if self.policy != "auto":
            return round_up(self.policy, self.network.grid)
        free = self.device.free_memory()
        if self.device.torch_device.type == "cpu":
            free -= self._canvas_bytes  # which is not yet taken from it
        pixels = max(free, 0) // 2 // self.network.bytes_per_pixel
        largest = max(LARGEST_AUTO_TILE, LARGEST_AUTO_TILE_IN_HALOS * self.halo)
        if self.whole.height * self.whole.width <= min(pixels, largest**2):
            return longest
        return round_up(min(max(int(pixels**0.5) - 2 * self.halo, SMALLEST_TILE), largest), self.network.grid)


def check_finite(result: Tensor) -> None:
    """Refuse a network's result that holds infinities or NaN.

    Raises:
        NotFiniteError: it does.
    """
    if not torch.isfinite(result).all():
        raise NotFiniteError("the network's result is not finite", "its weights may be damaged")


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
    return torch.minimum(folded, period - folded)
