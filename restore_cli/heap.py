"""The heap of the C library: how much of it is in use, and giving the rest back."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, ClassVar


def used_heap() -> int:
    """Return the bytes that the program has of the heap, without what it has freed; 0 where nobody tells."""
    ask = glibc_function("mallinfo2")
    if ask is None:
        return 0
    ask.restype = _HeapUse
    use = ask()
    return int(use.uordblks + use.hblkhd)


def trim_heap() -> None:
    """Give freed memory back that the heap keeps for later, where the C library can."""
    trim = glibc_function("malloc_trim")
    if trim is not None:
        trim(0)


def glibc_function(name: str) -> Any:
    """Return a function of glibc; None where there is another C library, or a glibc that is too old to have it."""
    if sys.platform != "linux":
        return None
    try:
        return getattr(ctypes.CDLL("libc.so.6"), name)
    except (OSError, AttributeError):
        return None


_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _HeapUse(ctypes.Structure):
    """`struct mallinfo2` of malloc.h."""

    _fields_: ClassVar[list[tuple[str, type[ctypes.c_size_t]]]] = [(name, ctypes.c_size_t) for name in _FIELDS]
