"""What a container leaves to this process of its machine's memory and processors, as Linux's cgroups tell."""

from __future__ import annotations

MEMORY = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of both versions: the folder, its files of the limit and of what is used, and what `memory.stat` calls files that
were not used of late."""
PROCESSORS = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)
"""Of both versions: the files of how long processors may be busy, all together, and in which time."""


def memory_left() -> int | None:
    """Return the bytes that may still be taken; None where there is no limit.

    Files that were read and written count as used in a container, although the system drops them when memory is wanted.
    """
    for folder, limit, used, cached in MEMORY:
        try:
            most, taken = (int(_read(f"{folder}/{name}")) for name in (limit, used))
            counts = dict(line.split() for line in _read(f"{folder}/memory.stat").splitlines())
        except (OSError, ValueError):  # there is none, or no limit: "max"
            continue
        return max(0, most - taken + int(counts.get(cached, 0)))
    return None


def processor_quota() -> int | None:
    """Return how many processors may be busy all the time, at least 1; None where there is no limit."""
    for paths in PROCESSORS:
        try:
            busy, period = (int(word) for path in paths for word in _read(path).split())
        except (OSError, ValueError):  # there is none, or no limit: "max"
            continue
        return max(1, busy // period) if busy > 0 else None  # -1 is no limit
    return None


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
