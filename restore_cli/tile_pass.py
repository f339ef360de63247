"""One picture on its way through one network, in tiles that leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from restore_cli.device import Device, free_host_memory, succeeds_in_memory
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.layers.sampling import place_centres
from restore_cli.memory import GIBIBYTE, HeapTrimmer
from restore_cli.networks import ContinuousNetwork, Network, Part
from restore_cli.tile_plan import SMALLEST_TILE, TilePlanner, TilePolicy
from restore_cli.tiling import Box, plan_cores, round_up

Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""
Take = Callable[[Tensor, Box], None]
"""Takes the result of a tile (3, h, w float32 on the host) and where it lies in the whole result."""


class ColourSource(Protocol):
    """What can be read in parts as 3, h, w float32 on the host: a tensor, or what converts the part that is read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, part: tuple[slice, slice, slice], /) -> Tensor: ...


class TilePass:
    """A picture, padded to the network's grid if need be, and the tiles still to do.

    Only tiles are read, and only they go to the device. A tile that runs out of memory there is cut into smaller ones.
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
    ) -> None:
        """Take `picture` (3, h, w) and a network that is on `device` already.

        `size` is the height and width that a continuous network shall make; h·scale, w·scale if None.
        """
        self.picture = picture
        self.device = device
        self.policy = policy
        self.height, self.width = picture.shape[1:]
        self.size = size or (self.height * network.scale, self.width * network.scale)
        grid = network.grid if network.pads_to_grid else 1
        self.rows, self.columns = (_reflected(length, round_up(length, grid)) for length in (self.height, self.width))
        self.whole = Box(0, 0, len(self.rows), len(self.columns))
        self._canvas: Tensor | None = None
        self._left: list[Box] | None = None
        self._side = 0
        self._done = 0
        self.switch_to(network, reduced_precision=reduced_precision)

    def switch_to(self, network: Network, *, reduced_precision: bool) -> None:
        """Do what is still to do with `network`, the same one in another precision."""
        self.network = network
        self.halo = round_up(network.receptive_field if reduced_precision else network.halo, network.grid)
        self.statistic: Tensor | None = None

    def run(self, progress: Progress) -> tuple[Tensor, int | None]:
        """Return the result (3, height, width float32 on the host) and the side of its tiles, None if it is whole.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile, or the host has none for the result.
            NotFiniteError: a value of the result is infinite or NaN.
        """
        if self._canvas is None:
            self._check_canvas()
            self._canvas = torch.empty(3, *self.size)
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
        held: int = 0,
        row_bytes: int = 0,
    ) -> int | None:
        """Restore tile after tile, row by row of tiles; return the side of the tiles, None if there was a single one.

        `finish_rows` is called when the result is whole down to a row. `held` and `row_bytes` are the memory that the
        caller needs for all of the result, and for one of its rows while a row of tiles is done. After a NotFiniteError
        another call does what is left.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile.
            NotFiniteError: a value of a tile's result is infinite or NaN.
        """
        if self._left is None:
            planner = TilePlanner(self.network, self.device, self.policy, self.whole, self.halo)
            core = planner.choose(held=held, row_bytes=-(-row_bytes * self.size[0] // self.height))
            self._side = core.side
            self._left = plan_cores(self.whole, core.side, self.network.grid, core.height)[::-1]
        left, trim = self._left, HeapTrimmer(self._tile_bytes(self._left[-1]))

        def restore(core: Box) -> None:
            if core != self.whole:
                self._measure(core)
                trim()
            kept = core.resized((self.height, self.width), self.size)
            take(self._restore(core, kept), kept)
            self._done += core.height * core.width

        def finish(core: Box) -> None:
            if not left or (left[-1].top >= core.bottom and min(box.top for box in left) >= core.bottom):
                finish_rows(min(self.size[0], core.resized((self.height, self.width), self.size).bottom))
            progress(self._done / (self.whole.height * self.whole.width))

        self._side = self._for_each_core(left, self._side, restore, finish)
        return None if self._side >= max(self.whole.height, self.whole.width) else self._side

    @property
    def _canvas_bytes(self) -> int:
        return 3 * 4 * self.size[0] * self.size[1]

    def _check_canvas(self) -> None:
        """Refuse a result that would drive the host out of memory; Linux would kill the process instead of telling."""
        free = free_host_memory()
        if self._canvas_bytes > free:
            raise DeviceError(
                f"a result of {self.size[1]}x{self.size[0]} pixels takes "
                f"{self._canvas_bytes / GIBIBYTE:.1f} GiB of memory, and {free / GIBIBYTE:.1f} GiB are free",
                "ask for a smaller size, or restore the picture in parts",
            )

    def _tile_bytes(self, core: Box) -> int:
        """Return about how much host memory a tile takes: its features, or where they lie elsewhere, its result."""
        outer = core.grown(self.halo, self.whole.height, self.whole.width)
        per_pixel = self.network.bytes_per_pixel if self.device.is_host else 2 * 3 * 4 * self.network.scale**2
        return outer.height * outer.width * per_pixel

    def _restore(self, core: Box, kept: Box) -> Tensor:
        """Return the pixels `kept` of the result (3, h, w), which are those made of `core`."""
        outer = core.grown(self.halo, self.whole.height, self.whole.width)
        tile = self._on_device(outer)
        if isinstance(self.network, ContinuousNetwork):
            rows = place_centres(self.height, self.size[0], start=kept.top, stop=kept.bottom, origin=outer.top)
            columns = place_centres(self.width, self.size[1], start=kept.left, stop=kept.right, origin=outer.left)
            restored = self.network.restore_at(tile, rows, columns)[0].cpu()
        else:
            restored = self.network(tile, Part(outer, self.whole, self.statistic))[0]  # 3, h, w
            restored = restored[:, *kept.within(outer.scaled(self.network.scale)).slices].cpu()
        check_finite(restored)
        return restored

    def _measure(self, first: Box) -> None:
        """Sum the network's statistic over the whole picture, if it has one and it is not known yet.

        It is done in tiles whose cores are as large as `first`.
        """
        halo = self.network.statistic_halo
        if halo is None or self.statistic is not None:
            return
        parts: list[Tensor] = []

        def measure(core: Box) -> None:
            outer = core.grown(halo, self.whole.height, self.whole.width)
            inner = core.within(outer)
            parts.append(self.network.measure(self._on_device(outer), inner.top, inner.left, inner.height, inner.width))

        cores = plan_cores(self.whole, first.width, self.network.grid, first.height)[::-1]
        self._for_each_core(cores, max(first.height, first.width), measure)
        self.statistic = torch.stack(parts).sum(dim=0)

    def _on_device(self, box: Box) -> Tensor:
        tile = self._read(box)[None]  # 1, 3, h, w
        return tile.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)

    def _read(self, box: Box) -> Tensor:
        """Read 3, h, w; what lies beyond the picture is its reflection."""
        rows, columns = self.rows[box.top : box.bottom], self.columns[box.left : box.right]
        area = tuple(slice(int(indices.min()), int(indices.max()) + 1) for indices in (rows, columns))
        tile = self.picture[slice(None), area[0], area[1]]
        if box.bottom > self.height or box.right > self.width:
            tile = tile[:, rows - area[0].start][:, :, columns - area[1].start]
        return tile

    def _for_each_core(
        self,
        left: list[Box],
        side: int,
        work: Callable[[Box], None],
        finish: Callable[[Box], None] = lambda core: None,
    ) -> int:
        """Call `work` on the cores `left`, the last one first; where memory runs out, on smaller ones from there on.

        After `work` a core is taken from `left`, and `finish` is called. Returns the longest side that a core had at
        the end.
        """
        while left:
            core = left[-1]
            if succeeds_in_memory(lambda: work(core)):  # noqa: B023 called at once
                left.pop()
                finish(core)
                continue
            self.device.release_memory()
            side = min(side, self._half(core))
            left[:] = [part for bigger in left for part in plan_cores(bigger, side, self.network.grid)[::-1]]
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


def check_finite(result: Tensor) -> None:
    """Refuse a network's result that holds infinities or NaN.

    Raises:
        NotFiniteError: it does.
    """
    if not torch.isfinite(result).all():
        raise NotFiniteError("the network's result is not finite", "its weights may be damaged")


def pad_to_grid(picture: Tensor, grid: int) -> Tensor:
    """Extend `picture` (..., h, w) by reflection below and to the right until its sides are multiples of `grid`."""
    height, width = picture.shape[-2:]
    rows = _reflected(height, round_up(height, grid))
    columns = _reflected(width, round_up(width, grid))
    return picture[..., rows, :][..., columns]


def _reflected(length: int, padded: int) -> Tensor:
    """Return the indices 0 .. length-1 .. 0 .. of a reflection that repeats no edge; `padded` of them."""
    period = max(2 * (length - 1), 1)
    folded = torch.arange(padded) % period
    return torch.minimum(folded, period - folded)
