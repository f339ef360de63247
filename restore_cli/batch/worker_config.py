"""What a worker is told before its first job, as plain data: it goes to another process, and needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_cli.memory import MEBIBYTE, WITHOUT_LIMIT, MemoryBudget
from restore_cli.telling import Tell

if TYPE_CHECKING:
    from restore_cli.device import Device
    from restore_cli.tasks.task import Task

IN_FLIGHT_BYTES = 512 * MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """What a worker is told when it begins; plain data, so that it can begin in another process."""

    load_task: Callable[[Device, Tell], Task]
    """Loads what is done to pictures, for a device."""
    max_pixels: int
    """Larger inputs are refused."""
    overwrite: bool = False
    quality: int | None = None
    strip_metadata: bool = False
    copy_rest: bool = False
    """Whether pictures that are left alone are copied to where their results would lie."""
    began: float = 0.0
    """When the run began, in seconds since 1970."""
    threads: int | None = None
    """Processor threads of the network; None is all."""
    device: str = "auto"
    """Name of the device that its network runs on."""
    memory: MemoryBudget = WITHOUT_LIMIT
    """What its process may take of the memory of this machine."""
    alone_off_host: bool = False
    """Whether the others, which it shares that with, are not begun where its device is not the processor."""
    debug: bool = False
    """Whether the traceback of each error is printed."""
    in_flight: int = IN_FLIGHT_BYTES
    """Bytes of pictures that a worker reads ahead and writes behind, at the most, unless a single one has more."""
