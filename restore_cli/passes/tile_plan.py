"""How large the tiles of a picture are: what memory has room for, and the rows that a whole row of tiles makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from restore_cli.device import Device
from restore_cli.errors import DeviceError
from restore_cli.memory import MEBIBYTE, resident_memory
from restore_cli.networks import Locality, Network
from restore_cli.tiling import Box, round_up

TilePolicy = Literal["auto", "off"] | int
"""How to cut a picture: by free memory, not at all, or into cores of so many input pixels a side."""

SMALLEST_TILE = 32
LARGEST_AUTO_TILE = 1024
LARGEST_AUTO_TILE_IN_HALOS = 16
"""`auto` cuts no larger tiles than the larger of these two: halos then cost about a quarter more at the most, and the
progress bar moves."""
TILE_FACTOR, TILE_FACTOR_REDUCED = 2.0, 0.9
"""How many times the bytes of its widest features in float32 a tile takes at the most: computed in float32, and in
bfloat16 on a processor. Measured, with what libraries and the heap take for themselves."""
MOST_WITHOUT_LIMIT = 900 * MEBIBYTE
"""Bytes that tiles and bands of a large picture take at the most on a host where the user sets no limit: 24 megapixels
are then enlarged fourfold in 1.5 GB in all. Without it that takes 3 GB, and a fifth less time."""
LARGEST_BAND = 128 * MEBIBYTE
"""Bytes of the result that a row of tiles makes at the most, unless it had to be flatter than LOWEST_IN_HALOS."""
LOWEST_IN_HALOS = 4
"""A row of tiles that is flatter than this would read halos for the greater part."""
BAND_SHARE = 1 / 10
"""Of free memory, that the result of such a row may take, though it be more than LARGEST_BAND."""
BANDS_ALIVE = 3
"""Bands there are at a time: one to fill, one to encode, and what either is made of."""
OVERHEAD = 144 * MEBIBYTE
"""Bytes that libraries take at their first use, and an encoder."""
SLACK = 10
"""Mebibytes by which what is resident may differ from run to run."""


@dataclass(frozen=True, slots=True)
class CoreSize:
    """The size of a tile's core in input pixels, at the most."""

    width: int
    height: int

    @property
    def side(self) -> int:
        """The longer one."""
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class TilePlanner:
    """Chooses the size of tiles for one picture."""

    network: Network
    device: Device
    policy: TilePolicy
    whole: Box
    halo: int
    reduced_precision: bool = field(kw_only=True)

    def choose(self, *, held: int = 0, row_bytes: int = 0) -> CoreSize:
        """Return the size of the first cores to try; that of the whole picture where it may go in one piece.

        `held` is how many bytes of host memory the caller is about to take for the whole result, `row_bytes` how many
        for the rows of the result that one input row makes, which it holds until a row of tiles is done.

        Raises:
            DeviceError: the smallest tile does not fit the memory limit.
        """
        longest = max(self.whole.height, self.whole.width)
        if self.policy == "off" or (self.policy == "auto" and self.network.locality is Locality.GLOBAL):
            return CoreSize(longest, longest)
        if self.policy != "auto":
            side = round_up(self.policy, self.network.grid)
            return CoreSize(side, side)
        free = self._free(held)
        self._check_limit(free, held, row_bytes)
        largest = max(LARGEST_AUTO_TILE, LARGEST_AUTO_TILE_IN_HALOS * self.halo)
        highest = self._highest(row_bytes)
        room = self._room(free, self.whole.height, row_bytes)
        if self.whole.height * self.whole.width <= min(room, largest**2) and self.whole.height <= highest:
            return CoreSize(longest, longest)
        return self._least_work(free, min(highest, largest), largest, row_bytes)

    @property
    def _pixel_bytes(self) -> int:
        """Bytes that a tile takes for each pixel it reads."""
        factor = TILE_FACTOR_REDUCED if self.reduced_precision and self.device.is_host else TILE_FACTOR
        return round(factor * self.network.bytes_per_pixel)

    def _free(self, held: int) -> int:
        """Return the bytes that tiles and bands may take, `held` being what the caller is about to take besides."""
        free = self.device.free_memory()
        if not self.device.is_host:
            return free
        if self.device.host_memory.limit is not None:
            return free - held - OVERHEAD
        is_small = self.whole.height * self.whole.width <= LARGEST_AUTO_TILE**2
        return free - held if is_small else min(free - held, MOST_WITHOUT_LIMIT)

    def _least_work(self, free: int, highest: int, widest: int, row_bytes: int) -> CoreSize:
        """Return, of the cores that `free` bytes have room for, those with which the network reads fewest pixels.

        Flat ones leave more room for tiles, since fewer rows of the result wait for their row to be done.
        """
        grid, (height, width) = self.network.grid, (self.whole.height, self.whole.width)
        smallest = round_up(SMALLEST_TILE, grid)
        best, least = CoreSize(smallest, smallest), float("inf")
        for rows in range(-(-height // highest), -(-height // smallest) + 1):
            core_height = round_up(-(-height // rows), grid)
            outer_height = min(core_height + 2 * self.halo, height)
            fitting = self._room(free, core_height, row_bytes) // outer_height
            core_width = min(width if fitting >= width else (fitting - 2 * self.halo) // grid * grid, widest)
            if core_width < smallest:
                continue
            columns = -(-width // core_width)
            core_width = round_up(-(-width // columns), grid)
            work = rows * outer_height * columns * min(core_width + 2 * self.halo, width)
            if work < least:
                best, least = CoreSize(core_width, core_height), work
        return best

    def _room(self, free: int, height: int, row_bytes: int) -> int:
        """Return how many pixels a tile may read where a row of tiles is `height` pixels high."""
        bands = BANDS_ALIVE * row_bytes * height if self.device.is_host else 0
        return max(free - bands, 0) // self._pixel_bytes

    def _highest(self, row_bytes: int) -> int:
        """Return how many input rows a row of tiles may have."""
        if not row_bytes:
            return self.whole.height
        band_bytes = min(LOWEST_IN_HALOS * self.halo * row_bytes, int(BAND_SHARE * self.device.host_memory.free()))
        return max(max(LARGEST_BAND, band_bytes) // row_bytes, SMALLEST_TILE)

    def _check_limit(self, free: int, held: int, row_bytes: int) -> None:
        """Refuse a limit that the smallest tile does not fit into, with what the caller holds."""
        limit = self.device.host_memory.limit
        bands = BANDS_ALIVE * row_bytes * min(SMALLEST_TILE, self.whole.height)
        smallest = (SMALLEST_TILE + 2 * self.halo) ** 2 * self._pixel_bytes + bands
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
