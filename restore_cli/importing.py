"""Importing large libraries, such as PyTorch, in less time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep Python from looking for garbage among what is imported, now and later.

    None of it becomes garbage, and with PyTorch all the looking takes some 0.4 seconds.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
