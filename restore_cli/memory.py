"""How much memory this process may take: what the machine has free, a container leaves, and the user allows."""

from __future__ import annotations

import os
import sys

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

_limit = UNLIMITED
_sharers = 1


def limit_host_memory(limit: int | None) -> None:
    """Let this process plan its work so that no more than `limit` bytes are resident; None lifts the limit."""
    global _limit
    _limit = UNLIMITED if limit is None else limit


def share_host_memory(sharers: int) -> None:
    """Let this process plan with its part of what is free, since so many do."""
    global _sharers
    _sharers = sharers


def memory_limit() -> int | None:
    """Return the limit in bytes, None where there is none."""
    return None if _limit == UNLIMITED else _limit


def free_host_memory() -> int:
    """Return the bytes of host memory that can be had without swapping, within a container's limit and the user's.

    Where several workers share it, it is the part of one.
    """
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        free = _total_memory() // 2
    return min(min(free, _free_in_container()) // _sharers, left_of_limit())


def left_of_limit() -> int:
    """Return how many more bytes may become resident; a very large number without a limit, 0 where it is passed."""
    if _limit == UNLIMITED:
        return UNLIMITED
    trim_heap()
    return max(0, _limit - resident_memory())


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


def close_gaps() -> None:
    """Give freed memory back if there is a limit: pieces of work whose sizes change leave gaps between each other."""
    if memory_limit() is not None:
        trim_heap()


class HeapTrimmer:
    """Keeps the heap from growing from piece to piece of the work: they are of unlike sizes and leave gaps in it.

    Freed memory is kept as long as it does not become more than a piece or two take: to have it fresh from the system
    takes as long as a good part of the work. Under a limit none is kept.
    """

    def __init__(self, piece_bytes: int) -> None:
        """`piece_bytes` is about what one piece, a tile for example, takes."""
        kept = KEPT_PIECES * piece_bytes if memory_limit() is None else 0
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
