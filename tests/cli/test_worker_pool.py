"""How many workers there are, and what each of them has of the machine."""

from __future__ import annotations

import os

import pytest

from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, ReportOptions
from restore_cli.cli.request import Request
from restore_cli.cli.worker_pool import WorkerPool
from restore_cli.memory import GIBIBYTE, MemoryBudget


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 16 processors and much memory."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.setattr("restore_cli.cli.worker_pool.processor_quota", lambda: None)
    monkeypatch.setattr("restore_cli.cli.worker_pool.free_host_memory", lambda: 100 * GIBIBYTE)


def configs(
    *,
    pictures: int | None = None,
    workers: int | None = None,
    devices: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    memory_limit: int | None = None,
    debug: bool = False,
) -> list[WorkerConfig]:
    engine = EngineOptions(device=device, threads=threads, memory_limit=memory_limit)
    batch = BatchOptions(workers=workers, devices=devices)
    request = Request(None, FileOptions(), batch, engine, ReportOptions(debug=debug))
    pool = WorkerPool(request, lambda device, tell: pytest.fail("a task is loaded"), lambda share: None)
    return pool._configs(pictures)


@pytest.mark.parametrize(
    ("free", "pictures", "workers", "threads"),
    [(100, None, 8, 2), (100, 3, 3, 5), (100, 1, 1, None), (7, None, 2, 8), (5, None, 1, None), (1, None, 1, None)],
)
def test_workers_share_the_processors_as_far_as_memory_lets_them(
    free: int, pictures: int | None, workers: int, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore_cli.cli.worker_pool.free_host_memory", lambda: free * GIBIBYTE)
    found = configs(pictures=pictures)
    assert [(config.threads, config.memory) for config in found] == [(threads, MemoryBudget(None, workers))] * workers
    assert all(config.alone_off_host for config in found)


def test_there_are_no_more_workers_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    assert [config.threads for config in configs()] == [1, 1, 1]
    assert [config.threads for config in configs(workers=5)] == [1] * 5


@pytest.mark.parametrize(("quota", "threads"), [(2, [1, 1]), (1, [None]), (64, [2] * 8)])
def test_workers_share_the_processors_of_a_container(
    quota: int, threads: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore_cli.cli.worker_pool.processor_quota", lambda: quota)
    assert [config.threads for config in configs()] == threads


def test_limits_are_meant_for_all_of_the_work() -> None:
    (limited,) = configs(memory_limit=GIBIBYTE)
    assert (limited.memory.limit, limited.threads, limited.in_flight) == (GIBIBYTE, None, GIBIBYTE // 16)
    (threaded,) = configs(threads=4)
    assert (threaded.memory.limit, threaded.threads) == (None, 4)


def test_workers_print_tracebacks_where_the_user_debugs() -> None:
    assert [{config.debug for config in configs(debug=debug)} for debug in (False, True)] == [{False}, {True}]


def test_workers_that_are_asked_for_share_the_limit() -> None:
    found = configs(workers=4, memory_limit=8 * GIBIBYTE)
    assert [(config.memory, config.threads) for config in found] == [(MemoryBudget(2 * GIBIBYTE, 4), 4)] * 4
    assert {config.in_flight for config in found} == {2 * GIBIBYTE // 16}
    assert not any(config.alone_off_host for config in found)
    assert [config.threads for config in configs(workers=2, threads=3)] == [3, 3]


@pytest.mark.parametrize(
    ("devices", "workers", "expected"),
    [
        ("cuda:0, cuda:1", None, ["cuda:0", "cuda:1"]),
        ("cuda:0,cuda:1", 3, ["cuda:0", "cuda:1", "cuda:0"]),
        (None, None, ["cuda:2"]),
        (None, 2, ["cuda:2", "cuda:2"]),
    ],
)
def test_workers_are_spread_over_devices(devices: str | None, workers: int | None, expected: list[str]) -> None:
    found = configs(devices=devices, workers=workers, device="cuda:2")
    assert [config.device for config in found] == expected
