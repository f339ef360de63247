"""A lock of the system's on a name: one process of all holds it, and a killed one leaves nothing that stops others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restore_cli.files.replacing import mark_beside, new_folders, remove_if_empty

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_SUFFIX = ".lock"


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let nobody else lock `target` while the context lasts; its folder is made, and goes again if it stays empty.

    What is locked is a hidden file beside `target`. Where the system or the file system has no such locks, nobody is
    kept away.

    Raises:
        BlockingIOError: somebody else has it locked.
        OSError: the folder cannot be written.
    """
    if fcntl is None:
        yield
        return
    new, lock = new_folders(target), lock_on(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = _lock(lock)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.unlink()
            os.close(descriptor)
    finally:
        remove_if_empty(new)


def lock_on(target: Path) -> Path:
    """Return the name of the file that is locked."""
    return mark_beside(target, LOCK_SUFFIX)


def _lock(path: Path) -> int:
    """Open and lock a file; another one if whoever had it locked took it away before that."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:  # the file system has no locks
            return descriptor
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
