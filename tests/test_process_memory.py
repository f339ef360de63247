"""What the system tells of memory: what is free, and what this process has of it."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from restore_cli import memory
from restore_cli.heap import trim_heap
from restore_cli.memory import MEBIBYTE, UNLIMITED, MemoryBudget, free_host_memory, peak_memory, resident_memory
from restore_cli.scratch import map_memory


@pytest.mark.parametrize(("left", "free"), [(None, 5000), (UNLIMITED, 5000), (2000, 2000), (0, 0)])
def test_free_memory_is_what_is_available_and_a_container_leaves(
    left: int | None, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=8000, available=5000))
    monkeypatch.setattr(memory, "memory_left", lambda: left)
    assert free_host_memory() == free


def test_memory_that_is_given_back_is_not_resident_and_leaves_room() -> None:
    trim_heap()  # or what other tests have freed is given back, too
    before = resident_memory()
    budget = MemoryBudget(before + 96 * MEBIBYTE)
    with map_memory(64 * MEBIBYTE) as pages:
        pages.write(b"\1" * len(pages))
        assert resident_memory() > before + 48 * MEBIBYTE
        assert budget.left() < 48 * MEBIBYTE
    assert resident_memory() < before + 16 * MEBIBYTE
    assert budget.left() > 80 * MEBIBYTE
    assert peak_memory() > before + 48 * MEBIBYTE


@pytest.mark.parametrize(("system", "peak"), [("win32", 7), ("darwin", 2000), ("freebsd14", 2000 * 1024)])
def test_the_peak_on_other_systems(system: str, peak: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    usage, figures = SimpleNamespace(ru_maxrss=2000), SimpleNamespace(rss=5, peak_wset=7)
    monkeypatch.setattr(memory, "_process", lambda number: SimpleNamespace(memory_info=lambda: figures))
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    monkeypatch.setattr("sys.platform", system)
    assert peak_memory() == peak
    assert resident_memory() == 5
