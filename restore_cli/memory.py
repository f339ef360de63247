"""How much memory this process may take: what the machine has free, a container leaves, and the user allows."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from restore_cli.heap import trim_heap, used_heap

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
UNLIMITED = 1 << 62
KEPT_PIECES = 1.5
"""Freed memory that a heap may keep while work is done piece by piece, in what a piece takes."""
KEPT_BYTES = 32 * MEBIBYTE
"""And in bytes: less is not worth giving back."""
CGROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of both versions: the folder, its files of the limit and of what is used, and what `memory.stat` calls files that
were not used of late."""


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
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        free = _total_memory() // 2
    return min(free, _free_in_container())


def resident_memory() -> int:
    """Return the bytes of this process that lie in memory."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the most that it was
        return peak_memory() or 0


def peak_memory() -> int | None:
    """Return the most bytes of this process that ever lay in memory; None where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file)
        return 1024 * int(fields["VmHWM"].split()[0])  # the system's other answer counts the parent process, too
    except (OSError, KeyError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
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


def _total_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # Windows
        return 8 * GIBIBYTE


def _free_in_container() -> int:
    """Return what a cgroup leaves to this process; a very large number where there is none, or it sets no limit.

    Files that were read and written count as used there, although the system drops them when memory is wanted.
    """
    for folder, limit, used, cached in CGROUPS:
        try:
            most, taken = (int(_read(f"{folder}/{name}")) for name in (limit, used))
            counts = dict(line.split() for line in _read(f"{folder}/memory.stat").splitlines())
        except (OSError, ValueError):  # there is none, or no limit: "max"
            continue
        return max(0, most - taken + int(counts.get(cached, 0)))
    return UNLIMITED


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
