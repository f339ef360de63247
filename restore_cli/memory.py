"""How much memory this process may take: what the machine has free, a container leaves, and the user allows."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from restore_cli.container import memory_left
from restore_cli.heap import trim_heap, used_heap

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
UNLIMITED = 1 << 62
KEPT_PIECES = 1.5
"""Freed memory that a heap may keep while work is done piece by piece, in what a piece takes."""
KEPT_BYTES = 32 * MEBIBYTE
"""And in bytes: less is not worth giving back."""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """What of the host's memory this process may plan its work with."""

    limit: int | None = None
    """Bytes that may be resident, if the user has set a limit."""
    sharers: int = 1
    """How many processes share what is free."""

    def free(self) -> int:
        """Return the bytes that can be had without swapping: the part of one of the sharers, and within the limit."""
        return min(free_host_memory() // self.sharers, self.left())

    def left(self) -> int:
        """Return how many more bytes may become resident; a very large number without a limit, 0 where it is passed."""
        if self.limit is None:
            return UNLIMITED
        trim_heap()
        return max(0, self.limit - resident_memory())

    def close_gaps(self) -> None:
        """Give freed memory back if there is a limit: work in pieces of unlike sizes leaves gaps between them."""
        if self.limit is not None:
            trim_heap()


WITHOUT_LIMIT = MemoryBudget()


def free_host_memory() -> int:
    """Return the bytes of host memory that can be had without swapping, within a container's limit."""
    import psutil  # here: what answers at once has no need of it

    free, left = int(psutil.virtual_memory().available), memory_left()
    return free if left is None else min(free, left)


def resident_memory() -> int:
    """Return the bytes of this process that lie in memory."""
    return int(_process(os.getpid()).memory_info().rss)


def peak_memory() -> int:
    """Return the most bytes of this process that ever lay in memory."""
    if sys.platform == "win32":
        return int(_process(os.getpid()).memory_info().peak_wset)
    if sys.platform == "linux":  # whose other answer counts the parent process, too
        with suppress(OSError, KeyError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file)
            return 1024 * int(fields["VmHWM"].split()[0])
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


class HeapTrimmer:
    """Keeps the heap from growing from piece to piece of the work: they are of unlike sizes and leave gaps in it.

    Freed memory is kept as long as it does not become more than a piece or two take: to have it fresh from the system
    takes as long as a good part of the work. Under a limit none is kept.
    """

    def __init__(self, piece_bytes: int, memory: MemoryBudget) -> None:
        """`piece_bytes` is about what one piece, a tile for example, takes."""
        kept = KEPT_PIECES * piece_bytes if memory.limit is None else 0
        self._most = resident_memory() - used_heap() + max(int(kept), KEPT_BYTES)

    def __call__(self, mapped: int = 0) -> None:
        """Give memory back if there is too much of it.

        `mapped` are the bytes that were taken from the system since, and not from the heap.
        """
        if resident_memory() - used_heap() - mapped > self._most:
            trim_heap()


@cache
def _process(number: int) -> Any:
    """Return what tells of this process, whose number it is: one that was forked since has another."""
    import psutil

    return psutil.Process(number)
