"""What a container leaves, in files as Linux has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from restore_cli.container import memory_left, processor_quota

Serve = Callable[[dict[str, str]], None]


@pytest.mark.parametrize(
    ("folder", "limit", "used", "cached"),
    [
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_memory_that_is_left_includes_files_not_used_of_late(
    folder: str, limit: str, used: str, cached: str, serve: Serve
) -> None:
    files = {f"{folder}/{used}": "2900000\n", f"{folder}/memory.stat": f"anon 900000\n{cached} 1900000\n"}
    serve(files | {f"{folder}/{limit}": "3000000\n"})
    assert memory_left() == 2_000_000
    serve(files | {f"{folder}/{limit}": "800000\n"})
    assert memory_left() == 0


def test_memory_without_a_limit(serve: Serve) -> None:
    counts = {"/sys/fs/cgroup/memory.current": "2900000\n", "/sys/fs/cgroup/memory.stat": "inactive_file 0\n"}
    serve(counts | {"/sys/fs/cgroup/memory.max": "max\n"})
    assert memory_left() is None
    folder, number = "/sys/fs/cgroup/memory", (1 << 63) - 4096
    counts = {f"{folder}/memory.usage_in_bytes": "2900000\n", f"{folder}/memory.stat": "total_inactive_file 0\n"}
    serve(counts | {f"{folder}/memory.limit_in_bytes": f"{number}\n"})
    assert memory_left() == number - 2900000
    serve({})
    assert memory_left() is None


@pytest.mark.parametrize(
    ("busy", "processors"), [("200000", 2), ("250000", 2), ("50000", 1), ("6400000", 64), ("max", None)]
)
def test_processors_of_version_2(busy: str, processors: int | None, serve: Serve) -> None:
    serve({"/sys/fs/cgroup/cpu.max": f"{busy} 100000\n"})
    assert processor_quota() == processors


@pytest.mark.parametrize(("busy", "processors"), [("300000", 3), ("1000", 1), ("-1", None)])
def test_processors_of_version_1(busy: str, processors: int | None, serve: Serve) -> None:
    folder = "/sys/fs/cgroup/cpu"
    serve({f"{folder}/cpu.cfs_quota_us": f"{busy}\n", f"{folder}/cpu.cfs_period_us": "100000\n"})
    assert processor_quota() == processors


def test_there_is_no_quota_outside_containers(serve: Serve) -> None:
    serve({})
    assert processor_quota() is None
