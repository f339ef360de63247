"""A loaded network on a device, ready for pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from restore_cli.device import Device, Precision, choose_precision, is_out_of_memory
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.networks import ContinuousNetwork, Network, SteppedNetwork
from restore_cli.step_pass import StepPass, measure_effort
from restore_cli.tile_pass import ColourSource, Progress, Take, TilePass
from restore_cli.tile_plan import TilePolicy
from restore_cli.tiling import Box

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Run:
    """How a picture was put through the network."""

    precision: str
    tile: int | None
    """Side of the tiles' cores in input pixels; None where the picture went through whole."""
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
        self.is_continuous = isinstance(network, ContinuousNetwork)
        allowed = network.half_precisions if network.auto_reduces or precision != "auto" else frozenset()
        self.precision = choose_precision(precision, device, allowed)
        self._effort_per_pixel: float | None = None
        self._float32_network = network
        self._network = self._on_device(self.precision)

    def restore(
        self, picture: Tensor, progress: Progress = lambda share: None, *, size: tuple[int, int] | None = None
    ) -> tuple[Tensor, Run]:
        """Put `picture` (3, h, w float32 on the host, 0 to 1) through the network.

        `size` is the height and width that a continuous network shall make; others take h·scale, w·scale, which is also
        what None means. Returns 3, height, width float32 on the host, and how it was done. Tiles that are not finite in
        reduced precision are done again in float32, and so is what comes after them.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile.
            NotFiniteError: the result is not finite in float32 either.
        """
        if isinstance(self._network, SteppedNetwork):
            return self._in_precisions(lambda network, precision: self._step(picture, network, progress))
        tiles = self._tile(picture, size)
        return self._in_precisions(self._continued(tiles, lambda: tiles.run(progress)))

    def restore_tiles(
        self,
        picture: ColourSource,
        take: Take,
        progress: Progress = lambda share: None,
        finish_rows: Callable[[int], None] = lambda bottom: None,
        *,
        size: tuple[int, int] | None = None,
        row_bytes: int = 0,
    ) -> Run:
        """Do what `restore` does, but hand the result out in tiles instead of holding it.

        `picture` need not be a tensor. The other arguments are those of `TilePass.restore_tiles`; a network that works
        in steps makes one tile.

        Raises:
            DeviceError, NotFiniteError: as `restore` does.
        """
        if isinstance(self._network, SteppedNetwork):
            result, run = self.restore(picture[:, :, :], progress)
            take(result, Box(0, 0, *result.shape[1:]))
            finish_rows(result.shape[1])
            return run
        tiles = self._tile(picture, size)
        work = self._continued(
            tiles,
            lambda: (None, tiles.restore_tiles(take, progress, finish_rows, row_bytes=row_bytes)),
        )
        return self._in_precisions(work)[1]

    def _in_precisions(self, work: Callable[[Network, Precision], tuple[Result, int | None]]) -> tuple[Result, Run]:
        """Do `work`, and if its result is not finite in reduced precision, do it again in float32."""
        notes: tuple[str, ...] = ()
        precision = self.precision
        try:
            result, tile = work(self._network, precision)
        except NotFiniteError:
            if precision is Precision.FP32:
                raise
            notes = (f"{precision} gave values that are not finite, so it was done again in fp32",)
            precision = Precision.FP32
            result, tile = work(self._on_device(precision), precision)
        return result, Run(precision, tile, notes)

    def _step(self, picture: Tensor, network: Network, progress: Progress) -> tuple[Tensor, int | None]:
        assert isinstance(network, SteppedNetwork)
        return StepPass(picture, network, self.device, self.tile, effort_per_pixel=self._measured_effort).run(progress)

    def _tile(self, picture: ColourSource, size: tuple[int, int] | None) -> TilePass:
        reduced = self.precision is not Precision.FP32
        return TilePass(picture, self._network, self.device, self.tile, reduced_precision=reduced, size=size)

    def _continued(
        self, tiles: TilePass, work: Callable[[], tuple[Result, int | None]]
    ) -> Callable[[Network, Precision], tuple[Result, int | None]]:
        """Return `work` on `tiles` that goes on with another network where it is told to."""

        def run(network: Network, precision: Precision) -> tuple[Result, int | None]:
            if network is not self._network:
                tiles.switch_to(network, reduced_precision=precision is not Precision.FP32)
            return work()

        return run

    def _measured_effort(self) -> float:
        """Return the effort per pixel; it is the same for all pictures, so it is measured with the first."""
        if self._effort_per_pixel is None:
            assert isinstance(self._network, SteppedNetwork)
            self._effort_per_pixel = measure_effort(self._network, self.device)
        return self._effort_per_pixel

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
