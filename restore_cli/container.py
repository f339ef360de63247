"""What a container leaves to this process of its machine's memory, as Linux's cgroups tell."""

from __future__ import annotations

MEMORY = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of both versions: the folder, its files of the limit and of what is used, and what `memory.stat` calls files that
were not used of late."""


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


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
