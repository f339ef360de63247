"""One picture on its way through one network, in tiles that leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import DeviceError
from restore_cli.memory import MEBIBYTE, HeapTrimmer
from restore_cli.networks import ContinuousNetwork, Network, Part
from restore_cli.passes.cuda_graphs import Call, call_plainly
from restore_cli.passes.finite import all_finite, check_finite
from restore_cli.passes.padded_picture import ColourSource, PaddedPicture
from restore_cli.passes.stacks import plan_stack
from restore_cli.passes.tile_geometry import TileGeometry
from restore_cli.passes.tile_plan import TilePlanner, TilePolicy
from restore_cli.passes.tile_queue import TileQueue
from restore_cli.passes.transfer import Download, open_transfer
from restore_cli.telling import Progress
from restore_cli.tiling import Box, plan_cores, round_up

Take = Callable[[Tensor, Box], None]
"""Takes the result of a tile (3, h, w on the host, float32 unless converted) and where it lies in the whole result."""
Convert = Callable[[Tensor], Tensor]
"""Makes of a tile's result (3, h, w float32), where that is, what shall come to the host."""


def unchanged(tile: Tensor) -> Tensor:
    """Return `tile`."""
    return tile


class TilePass:
    """A picture, padded to the network's grid if need be, and the tiles still to do.

    Only tiles are read, and only they go to the device. On a graphics card those of one row that are alike go together,
    and the next ones are sent while it computes. Tiles that run out of memory there are done one by one, and then cut
    into smaller ones.
    """

    def __init__(
        self,
        picture: ColourSource,
        network: Network,
        device: Device,
        policy: TilePolicy,
        *,
        reduced_precision: bool,
        size: tuple[int, int] | None = None,
        call: Call = call_plainly,
    ) -> None:
        """Take `picture` (3, h, w) and a network that is on `device` already.

        `size` is the height and width that a continuous network shall make; h·scale, w·scale if None. `call` carries
        out other networks.
        """
        self.device = device
        self.policy = policy
        self.call = call
        self.transfer = open_transfer(device)
        self.picture = PaddedPicture(picture, network.padding_grid)
        self.whole = self.picture.whole
        self.size = size or (self.picture.height * network.scale, self.picture.width * network.scale)
        self._canvas: Tensor | None = None
        self._queue: TileQueue[Download] | None = None
        self._done = 0
        self.switch_to(network, reduced_precision=reduced_precision)

    def switch_to(self, network: Network, *, reduced_precision: bool) -> None:
        """Do what is still to do with `network`, the same one in another precision."""
        self.network = network
        self.reduced_precision = reduced_precision
        halo = round_up(network.receptive_field if reduced_precision else network.halo, network.grid)
        self.geometry = TileGeometry(self.picture.height, self.picture.width, self.whole, self.size, halo)
        self.statistic: Tensor | None = None

    def run(self, progress: Progress) -> tuple[Tensor, int | None]:
        """Return the result (3, height, width float32 on the host) and the side of its tiles, None if it is whole.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile, or the host has none for the result.
            NotFiniteError: a value of the result is infinite or NaN.
        """
        if self._canvas is None:
            self._check_canvas()
            self._canvas = torch.empty(3, *self.size, dtype=torch.float32, device="cpu")
        canvas = self._canvas

        def take(tile: Tensor, kept: Box) -> None:
            canvas[:, *kept.slices] = tile

        return canvas, self.restore_tiles(take, progress, held=self._canvas_bytes)

    @torch.inference_mode()
    def restore_tiles(
        self,
        take: Take,
        progress: Progress,
        finish_rows: Callable[[int], None] = lambda bottom: None,
        *,
        convert: Convert = unchanged,
        held: int = 0,
        row_bytes: int = 0,
    ) -> int | None:
        """Restore tile after tile, row by row of tiles; return the side of the tiles, None if there was a single one.

        `finish_rows` is called when the result is whole down to a row. `convert` is applied to a tile's result on the
        device, before `take`. `held` and `row_bytes` are the memory that the caller needs for all of the result, and
        for one of its rows while a row of tiles is done. After a NotFiniteError another call does what is left.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile.
            NotFiniteError: a value of a tile's result is infinite or NaN.
        """
        queue = self._queue = self._queue or self._plan(held, row_bytes)
        if not queue:
            return self._side_of_tiles(queue)
        trim = HeapTrimmer(self._tile_bytes(queue.first), self.device.host_memory)

        def start(cores: list[Box]) -> Download:
            if cores[0] != self.whole:
                self._measure(cores[0])
                trim()
            tiles = self._restore(cores)
            finite = torch.stack([all_finite(tile) for tile in tiles])
            return self.transfer.download([finite, *(convert(tile) for tile in tiles)])

        def finish(cores: list[Box], download: Download) -> None:
            finite, *tiles = download()
            check_finite(finite)
            for core, tile in zip(cores, tiles, strict=True):
                take(tile, self.geometry.made_of(core))
                self._done += core.height * core.width
            progress(self._done / (self.whole.height * self.whole.width))

        def finish_down_to(bottom: int) -> None:
            finish_rows(self.geometry.made_of(Box(0, 0, bottom, self.whole.width)).bottom)

        queue.run(self._choose, start, finish, finish_down_to, ahead=0 if self.device.is_host else 1)
        return self._side_of_tiles(queue)

    def _plan(self, held: int, row_bytes: int) -> TileQueue[Download]:
        planner = TilePlanner(
            self.network,
            self.device,
            self.policy,
            self.whole,
            self.geometry.halo,
            reduced_precision=self.reduced_precision,
        )
        core = planner.choose(held=held, row_bytes=-(-row_bytes * self.size[0] // self.picture.height))
        return self._queue_of(plan_cores(self.whole, core.width, self.network.grid, core.height), core.side)

    def _queue_of(self, cores: list[Box], side: int) -> TileQueue[Any]:
        return TileQueue(cores, side, grid=self.network.grid, device=self.device, policy=self.policy)

    def _side_of_tiles(self, queue: TileQueue[Download]) -> int | None:
        return None if queue.side >= max(self.whole.height, self.whole.width) else queue.side

    @property
    def _canvas_bytes(self) -> int:
        return 3 * 4 * self.size[0] * self.size[1]

    def _check_canvas(self) -> None:
        """Refuse a result that would drive the host out of memory; Linux would kill the process instead of telling.

        Where the user has set a limit, the planner of tiles knows better what it is too small for.
        """
        memory = self.device.host_memory
        free = memory.free()
        if self._canvas_bytes > free and not (memory.limit is not None and self.device.is_host):
            raise DeviceError(
                f"a result of {self.size[1]}x{self.size[0]} pixels takes "
                f"{self._canvas_bytes // MEBIBYTE:,} MiB of memory, and {free // MEBIBYTE:,} MiB are free",
                "ask for a smaller size, or restore the picture in parts",
            )

    def _tile_bytes(self, core: Box) -> int:
        """Return about how much host memory a tile takes: its features, or where they lie elsewhere, its result."""
        outer = self.geometry.read_by(core)
        per_pixel = self.network.bytes_per_pixel if self.device.is_host else 2 * 3 * 4 * self.network.scale**2
        return outer.height * outer.width * per_pixel

    def _choose(self, row: list[Box], most: int) -> list[Box]:
        """Return the next core of a row, and those that can go through the network with it."""
        first = row[0]
        if self.device.is_host or self.network.sees_place:
            return [first]
        outer, is_continuous = self.geometry.read_by(first), isinstance(self.network, ContinuousNetwork)
        most = min(most, plan_stack(self.network, self.device, outer.height, outer.width))
        alike = partial(self.geometry.are_alike, first, is_continuous=is_continuous)
        return [core for core in row if core is first or alike(core)][:most]

    def _restore(self, cores: list[Box]) -> list[Tensor]:
        """Return the pixels that are made of each of `cores` (3, h, w on the device)."""
        outers = [self.geometry.read_by(core) for core in cores]
        tiles = self._on_device(outers)
        part = Part(outers[0], cores[0], self.whole, self.statistic, self.device.host_memory.close_gaps)
        if isinstance(self.network, ContinuousNetwork):
            rows, columns = self.geometry.rows(cores[0]), self.geometry.columns(cores[0])
            return list(self.network.restore_at(tiles, rows, columns, part))
        restored = self.call(self.network, tiles, part)  # n, 3, h, w, with what the picture was padded by
        kepts = [self.geometry.made_of(core) for core in cores]
        return [tile[:, : kept.height, : kept.width] for tile, kept in zip(restored, kepts, strict=True)]

    def _measure(self, first: Box) -> None:
        """Sum the network's statistic over the whole picture, if it has one and it is not known yet.

        It is done in tiles whose cores are as large as `first`.
        """
        halo = self.network.statistic_halo
        if halo is None or self.statistic is not None:
            return
        parts: list[Tensor] = []

        def measure(cores: list[Box]) -> None:
            (core,) = cores
            outer = core.grown(halo, self.whole.height, self.whole.width)
            parts.append(self.network.measure(self._on_device([outer]), core.within(outer)))

        cores = plan_cores(self.whole, first.width, self.network.grid, first.height)
        queue = self._queue_of(cores, max(first.height, first.width))
        queue.run(lambda row, most: row[:1], measure, lambda cores, nothing: None)
        self.statistic = torch.stack(parts).sum(dim=0)

    def _on_device(self, boxes: list[Box]) -> Tensor:
        tiles = [self.picture.read(box) for box in boxes]
        return self.transfer.upload(torch.stack(tiles) if len(tiles) > 1 else tiles[0][None])  # n, 3, h, w
