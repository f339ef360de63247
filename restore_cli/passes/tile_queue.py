"""Tiles still to do: how many go together, and what becomes of them where memory runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Generic, TypeVar

from restore_cli.device import Device, attempt
from restore_cli.errors import DeviceError
from restore_cli.passes.stacks import LARGEST_STACK
from restore_cli.passes.tile_plan import SMALLEST_TILE, TilePolicy
from restore_cli.tiling import Box, plan_cores, round_up

Started = TypeVar("Started")
Row = list[Box]
"""Cores beside each other."""


class TileQueue(Generic[Started]):
    """The cores that are left, row by row; each stays until its work is finished, so that it can be begun anew."""

    def __init__(self, cores: Iterable[Box], side: int, *, grid: int, device: Device, policy: TilePolicy) -> None:
        """`side` is what cores were planned with; smaller ones must begin on the grid."""
        self.side = side
        self.grid = grid
        self.device = device
        self.policy = policy
        self.most = LARGEST_STACK
        """Cores that memory is known, or hoped, to have room for at a time."""
        self._left = _rows(cores)

    def __bool__(self) -> bool:
        return bool(self._left)

    @property
    def first(self) -> Box:
        """The core that comes next."""
        return self._left[0][0]

    def run(
        self,
        choose: Callable[[Row, int], Row],
        start: Callable[[Row], Started],
        finish: Callable[[Row, Started], None],
        finish_rows: Callable[[int], None] = lambda bottom: None,
        *,
        ahead: int = 0,
    ) -> None:
        """Do all that is left: `start` some cores, and `finish` what that has returned.

        `choose` picks cores out of a row, no more than it is told. As many as `ahead` of these batches are started
        before an earlier one is finished. `finish_rows` is called with the row down to which all is done. Where memory
        runs out, one batch at a time is done, then smaller ones, then smaller tiles.

        Raises:
            DeviceError: the device is out of memory even with the smallest tile.
        """
        waiting, started = self._waiting(), deque[tuple[Row, Started]]()
        while waiting or started:
            if waiting and len(started) <= ahead:
                batch = choose(waiting[-1], self.most)
                count = len(started)
                started += [(batch, value) for value in attempt(start, batch)]
                if len(started) > count:
                    _drop(waiting, batch)
                    continue
            else:
                batch = started[0][0]
                if attempt(finish, *started.popleft()):
                    self._settle(batch, finish_rows)
                    continue
            self.device.release_memory()
            if started:
                ahead = 0
            else:
                self._shrink(batch)
            started.clear()
            waiting = self._waiting()

    def _waiting(self) -> list[Row]:
        """Return all that is left, the first row last."""
        return [list(row) for row in reversed(self._left)]

    def _settle(self, batch: Row, finish_rows: Callable[[int], None]) -> None:
        row = self._left[0]
        row[:] = [core for core in row if core not in batch]
        if not row:
            self._left.popleft()
            finish_rows(batch[0].bottom)

    def _shrink(self, batch: Row) -> None:
        """Halve what goes together; a single core is halved itself, and with it all that are left."""
        if len(batch) > 1:
            self.most = len(batch) // 2
            return
        self.side = min(self.side, self._half(batch[0]))
        self._left = _rows(
            part for row in self._left for core in row for part in plan_cores(core, self.side, self.grid)
        )

    def _half(self, core: Box) -> int:
        longest = max(core.height, core.width)
        side = round_up(longest // 2, self.grid)
        if self.policy == "off":
            raise DeviceError(f"{self.device.name} is out of memory with the picture in one piece", "use --tile auto")
        if side < SMALLEST_TILE or side >= longest:
            raise DeviceError(
                f"{self.device.name} is out of memory even with tiles of {longest} pixels",
                "close other programs, or use --device cpu",
            )
        return side


def _rows(cores: Iterable[Box]) -> deque[Row]:
    """Put cores that begin in the same row of pixels beside each other."""
    ordered = sorted(cores, key=lambda core: (core.top, core.left))
    return deque(list(row) for _, row in groupby(ordered, key=lambda core: core.top))


def _drop(waiting: list[Row], batch: Row) -> None:
    """Take `batch` out of the last of the rows."""
    waiting[-1] = [core for core in waiting[-1] if core not in batch]
    if not waiting[-1]:
        waiting.pop()
