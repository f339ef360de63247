"""Feature planes of a whole picture on the host: in memory, or in a scratch file where they would not fit."""

from __future__ import annotations

import ctypes
import math
import mmap
import weakref

import torch
from torch import Tensor

from restore_cli.errors import DeviceError
from restore_cli.memory import GIBIBYTE, MEBIBYTE, MemoryBudget
from restore_cli.scratch import map_memory, map_scratch, release, scratch_folder

OWN_MAPPING = GIBIBYTE // 8
"""Bytes from which on planes do not come from the heap."""
OWN_MAPPING_IF_LIMITED = 4 * MEBIBYTE
"""The same under a memory limit, where smaller planes, too, may have to lie in a scratch file."""
KEPT_FREE = GIBIBYTE // 2
"""Bytes of memory that planes leave to everything else."""


class PlanePool:
    """Makes planes; those that are gone leave their memory to the next ones of their size.

    Memory that comes fresh from the system is slow at its first touch: that can take as long as a convolution.
    """

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._memory: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
        self._free: list[mmap.mmap] = []
        self._scratch: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def empty(self, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return planes of undefined content; large ones lie in an unnamed file in the temporary folder if need be.

        Raises:
            DeviceError: that folder has no room for them.
            UnwritablePictureError: it cannot be written.
        """
        count = math.prod(size)
        wanted = count * dtype.itemsize
        if wanted < (OWN_MAPPING if self._budget.limit is None else OWN_MAPPING_IF_LIMITED):
            return torch.empty(size, dtype=dtype, device="cpu")
        self._free = [memory for memory in self._free if len(memory) == wanted]  # the rest goes back to the system
        if self._free:
            return self._lent(self._free.pop(), dtype).view(size)
        if wanted + KEPT_FREE <= self._budget.free():
            memory = map_memory(wanted)
            self._memory.add(memory)
            return self._lent(memory, dtype).view(size)
        scratch = _map_scratch(wanted)
        self._scratch.add(scratch)
        return torch.frombuffer(scratch, dtype=dtype, count=count).view(size)

    @property
    def mapped(self) -> int:
        """Bytes of memory that were taken from the system, and not from the heap."""
        return sum(map(len, self._memory))

    def release(self) -> None:
        """Let go of the memory in which parts of scratch files lie; their content stays."""
        release(self._scratch)

    def _lent(self, memory: mmap.mmap, dtype: torch.dtype) -> Tensor:
        """Return a tensor in `memory`, which is free again when the last view of it is gone."""
        buffer = (ctypes.c_char * len(memory)).from_buffer(memory)
        weakref.finalize(buffer, self._take_back, memory).atexit = False
        return torch.frombuffer(buffer, dtype=dtype)

    def _take_back(self, memory: mmap.mmap) -> None:
        self._free.append(memory)


def _map_scratch(wanted: int) -> mmap.mmap:
    try:
        return map_scratch(wanted)
    except OSError as error:
        raise DeviceError(
            f"features of {wanted / GIBIBYTE:.1f} GiB fit neither memory nor {scratch_folder()}: {error.strerror}",
            "close other programs, or set RESTORE_TMPDIR to a folder with more room",
        ) from error
