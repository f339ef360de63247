"""A loaded network on a device, ready for pictures."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from restore_cli.device import Device, Precision, choose_precision, is_out_of_memory
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.networks import ContinuousNetwork, Network, SteppedNetwork
from restore_cli.step_pass import StepPass, measure_effort
from restore_cli.tile_pass import Progress, TilePass, TilePolicy


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
        what None means. Returns 3, height, width float32 on the host, and how it was done. A result that is not finite
        in reduced precision is done again in float32.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile.
            NotFiniteError: the result is not finite in float32 either.
        """
        try:
            return self._run(picture, size, self._network, self.precision, progress)
        except NotFiniteError:
            if self.precision is Precision.FP32:
                raise
        note = f"{self.precision} gave values that are not finite, so it was done again in fp32"
        return self._run(picture, size, self._on_device(Precision.FP32), Precision.FP32, progress, note)

    def _run(
        self,
        picture: Tensor,
        size: tuple[int, int] | None,
        network: Network,
        precision: Precision,
        progress: Progress,
        *notes: str,
    ) -> tuple[Tensor, Run]:
        if isinstance(network, SteppedNetwork):
            steps = StepPass(picture, network, self.device, self.tile, effort_per_pixel=self._measured_effort)
            result, tile = steps.run(progress)
        else:
            reduced = precision is not Precision.FP32
            tiles = TilePass(picture, network, self.device, self.tile, reduced_precision=reduced, size=size)
            result, tile = tiles.run(progress)
        return result, Run(precision, tile, notes)

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
