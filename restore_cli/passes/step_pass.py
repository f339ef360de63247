"""Pictures on their way through a network that looks at the whole of them, step by step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from restore_cli.device import Device, explaining_lack_of_memory, is_out_of_memory
from restore_cli.errors import DeviceError
from restore_cli.layers.execution import IN_ONE_PIECE
from restore_cli.layers.hardware import memory_format
from restore_cli.networks.network import SteppedNetwork
from restore_cli.padding import pad_to_grid
from restore_cli.passes.bands import BYTES_PER_PIXEL, InBands
from restore_cli.passes.tile_plan import TilePolicy, too_small
from restore_cli.telling import Progress

BAND_PIXELS = 512 * 512
"""Pixels of a band by default: enough to keep every core busy, few enough to take little memory."""
FEATURES_SHARE = 0.8
"""Of a device's free memory that the features of a whole picture may take."""
SMALLEST_BAND = 64 * 64
"""Pixels of the smallest band that a memory limit is met with."""
ROWS_AROUND = 20
"""Rows above and below a band that a step reads, too, at the most."""
LATER_BYTES = 48
"""Bytes of host memory per pixel that are still to come for the picture itself: its result, and mixtures of both."""


class StepPass:
    """Pictures padded to the network's grid, and where their features lie while the steps go over them.

    They lie on the device if they fit there, else on the host. The result is the same either way, and whatever the size
    of the bands is.
    """

    def __init__(
        self,
        pictures: Tensor,
        network: SteppedNetwork,
        device: Device,
        policy: TilePolicy,
        *,
        effort_per_pixel: Callable[[], float],
    ) -> None:
        """Take `pictures` (n, 3, h, w float32 on the host) and a network that is on `device` already.

        `policy` N makes bands of as many pixels as a square of side N has; `off` takes every step in one piece.
        `effort_per_pixel` tells what `measure_effort` found; it is asked only where progress can be shown.
        """
        self.network = network
        self.device = device
        self.policy = policy
        self.effort_per_pixel = effort_per_pixel
        self.height, self.width = pictures.shape[2:]
        padded = pad_to_grid(pictures, network.grid)  # n, 3, h', w'
        self.padded = padded.contiguous(memory_format=memory_format(device.torch_device))

    @torch.inference_mode()
    def run(self, progress: Progress) -> tuple[Tensor, int | None]:
        """Return the results (n, 3, h, w float32 on the host), finite or not, and the side of a band's square.

        That is a square with as many pixels as a band has. The side is None where every step took the pictures in one
        piece.

        Raises:
            DeviceError: the device or the host is out of memory.
        """
        hint = "use --tile auto" if self.policy == "off" else "close other programs, or restore a smaller picture"
        message = f"{self.device.name} is out of memory with {self.width}x{self.height} pixels"
        with explaining_lack_of_memory(message, hint):
            result, side = self._in_one_piece() if self.policy == "off" else self._in_bands(progress)
        return result[..., : self.height, : self.width], side

    def _in_one_piece(self) -> tuple[Tensor, None]:
        return self.network.restore(self.padded.to(self.device.torch_device), IN_ONE_PIECE).cpu(), None

    def _in_bands(self, progress: Progress) -> tuple[Tensor, int | None]:
        first, *others = self._choose_homes()
        try:
            return self._with_features_on(first, progress)
        except (RuntimeError, MemoryError, DeviceError) as error:
            if not others or not (isinstance(error, DeviceError) or is_out_of_memory(error)):
                raise
        self.device.release_memory()
        return self._with_features_on(others[0], progress)

    def _with_features_on(self, home: torch.device, progress: Progress) -> tuple[Tensor, int | None]:
        pixels = self._band_pixels() if self.policy == "auto" else int(self.policy) ** 2
        bands = InBands(self.device, home=home, pixels=pixels)
        total = self.effort_per_pixel() * self.padded.shape[2] * self.padded.shape[3]
        bands.on_effort = lambda effort: progress(min(1.0, effort / total))
        result = self.network.restore(self.padded.to(bands.home), bands).cpu()
        whole = bands.pixels >= self.padded.shape[2] * self.padded.shape[3]
        return result, None if whole else int(bands.pixels**0.5)

    def _band_pixels(self) -> int:
        """Return how many pixels a band has: as many as a memory limit leaves room for, where there is one.

        Raises:
            DeviceError: not even the smallest band fits the limit.
        """
        limit = self.device.host_memory.limit
        if limit is None or not self.device.is_host:
            return BAND_PIXELS
        height, width = self.padded.shape[2:]
        later = LATER_BYTES * height * width + ROWS_AROUND * width * BYTES_PER_PIXEL
        pixels = (self.device.host_memory.free() - later) // BYTES_PER_PIXEL
        if pixels < SMALLEST_BAND:
            raise too_small(limit, later + SMALLEST_BAND * BYTES_PER_PIXEL)
        return min(BAND_PIXELS, pixels)

    def _choose_homes(self) -> list[torch.device]:
        """Return where features may lie, the best place first: the device if they should fit there, and the host."""
        needed = self.network.bytes_per_pixel * self.padded.shape[2] * self.padded.shape[3]
        fits = needed <= FEATURES_SHARE * self.device.free_memory()
        host = torch.device("cpu")
        return [self.device.torch_device, host] if fits and self.device.torch_device != host else [host]


@torch.inference_mode()
def measure_effort(network: SteppedNetwork, device: Device) -> float:
    """Return the effort that a pixel costs `network` on `device`, as bands count it, by a picture of a few pixels."""
    side = 4 * network.grid
    probe = InBands(device, home=device.torch_device, pixels=side**2)
    x = torch.zeros(1, 3, side, side, dtype=torch.float32, device=device.torch_device)
    network.restore(x, probe)
    return probe.effort / side**2
