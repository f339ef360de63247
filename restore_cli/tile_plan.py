"""How large the tiles of a picture are: what memory has room for, and the rows that a whole row of tiles makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from restore_cli.device import Device
from restore_cli.errors import DeviceError
from restore_cli.memory import MEBIBYTE, free_host_memory, memory_limit, resident_memory
from restore_cli.networks import Locality, Network
from restore_cli.tiling import Box, round_up

TilePolicy = Literal["auto", "off"] | int
"""How to cut a picture: by free memory, not at all, or into cores of so many input pixels a side."""

SMALLEST_TILE = 32
LARGEST_AUTO_TILE = 1024
LARGEST_AUTO_TILE_IN_HALOS = 16
"""`auto` cuts no larger tiles than the larger of these two: halos then cost about a quarter more at the most, and the
progress bar moves."""
BAND_BYTES = 128 * MEBIBYTE
"""Bytes of the result that a row of tiles makes at the most, unless it had to be flatter than LOWEST_IN_HALOS."""
LOWEST_IN_HALOS = 4
"""A row of tiles that is flatter than this would read halos for the greater part."""
BANDS_ALIVE = 3
"""Bands there are at a time: one to fill, one to encode, and what either is made of."""
OVERHEAD = 144 * MEBIBYTE
"""Bytes that libraries take at their first use, and an encoder."""
SLACK = 10
"""Mebibytes by which what is resident may differ from run to run."""


@dataclass(frozen=True, slots=True)
class Core:
    """The size of a tile's core in input pixels, at the most."""

    side: int
    height: int


class TilePlanner:
    """Chooses the size of tiles for one picture."""

    def __init__(self, network: Network, device: Device, policy: TilePolicy, whole: Box, halo: int) -> None:
        self.network = network
        self.device = device
        self.policy = policy
        self.whole = whole
        self.halo = halo

    def choose(self, *, held: int = 0, row_bytes: int = 0) -> Core:
        """Return the size of the first cores to try; that of the whole picture where it may go in one piece.

        `held` is how many bytes of host memory the caller is about to take for the whole result, `row_bytes` how many
        for the rows of the result that one input row makes, which it holds until a row of tiles is done.

        Raises:
            DeviceError: the smallest tile does not fit the memory limit.
        """
        longest = max(self.whole.height, self.whole.width)
        if self.policy == "off" or (self.policy == "auto" and self.network.locality is Locality.GLOBAL):
            return Core(longest, longest)
        if self.policy != "auto":
            side = round_up(self.policy, self.network.grid)
            return Core(side, side)
        lowest = self._rows_for(free_host_memory(), row_bytes)
        bands = BANDS_ALIVE * row_bytes * min(lowest, self.whole.height)
        free = self.device.free_memory()
        if self.device.is_host:
            free -= held + bands + (OVERHEAD if memory_limit() else 0)  # which are not yet taken from it
        fewest = BANDS_ALIVE * row_bytes * min(SMALLEST_TILE, self.whole.height)
        self._check_limit(free + bands - fewest, held + fewest)
        pixels = max(free, 0) // 2 // self.network.bytes_per_pixel
        largest = max(LARGEST_AUTO_TILE, LARGEST_AUTO_TILE_IN_HALOS * self.halo)
        if self.whole.height * self.whole.width <= min(pixels, largest**2) and self.whole.height <= lowest:
            return Core(longest, longest)
        square = max(int(pixels**0.5) - 2 * self.halo, SMALLEST_TILE)
        height = min(square, lowest, largest)
        side = max(pixels // (height + 2 * self.halo) - 2 * self.halo, square) if height < square else square
        return Core(*(round_up(min(length, largest), self.network.grid) for length in (side, height)))

    def _rows_for(self, free: int, row_bytes: int) -> int:
        """Return how many input rows a row of tiles may have."""
        if not row_bytes:
            return max(self.whole.height, self.whole.width)
        rows = min(BAND_BYTES, free // 10) // row_bytes
        comfortable = min(LOWEST_IN_HALOS * self.halo, free // 10 // row_bytes)
        return max(rows, comfortable, SMALLEST_TILE)

    def _check_limit(self, free: int, held: int) -> None:
        """Refuse a limit that the smallest tile does not fit into, apart from what the caller holds."""
        limit = memory_limit()
        smallest = (SMALLEST_TILE + 2 * self.halo) ** 2 * self.network.bytes_per_pixel
        if limit is not None and self.device.is_host and free < smallest:
            raise too_small(limit, held + OVERHEAD + smallest)


def too_small(limit: int, more: int) -> DeviceError:
    """Return the error that a memory limit has no room for `more` than what is resident, which a picture takes."""
    least = (resident_memory() + more) // MEBIBYTE + SLACK
    return DeviceError(
        f"the memory limit of {limit // MEBIBYTE} MiB is too small for this picture: the program, the network and its "
        f"smallest tile take about {least} MiB",
        f"give --memory-limit {least}M or more",
    )
