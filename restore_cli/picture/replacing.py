"""A file that takes its place when it is whole, or leaves no trace."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from restore_cli.errors import UnwritablePictureError

TEMPORARY_PREFIX = ".restore-"
"""Beginning of the names of files that are being written."""


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Open a new file beside `target`; once it is whole and on the disk it takes the target's place.

    Until then it has no name where the system has such files, so that nothing is left of a process that is killed.

    Raises:
        UnwritablePictureError: something else than a file has the target's name.
        OSError: the folder cannot be written, or the disk is full.
    """
    if target.is_symlink():
        target = target.resolve()
    if target.exists() and not target.is_file():
        raise UnwritablePictureError("there is a folder of this name" if target.is_dir() else "it is no ordinary file")
    temporary = temporary_beside(target)
    descriptor = _open_without_name(target.parent)
    has_name = descriptor is None
    if descriptor is None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "w+b") as file:
            yield file
            file.flush()
            if not has_name:
                _give_name(file.fileno(), temporary)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def folders_for(target: Path) -> Iterator[None]:
    """Make the folders that lead to `target`; those that are new and empty go again if there is an error."""
    new = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def temporary_beside(target: Path) -> Path:
    """Return a name in the target's folder that nothing has."""
    return target.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.part")


def _open_without_name(folder: Path) -> int | None:
    """Open a new file without a name; None where there are none."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o666)
    except OSError:  # some file systems have none; others tell why when a file with a name is made
        return None


def _give_name(descriptor: int, name: Path) -> None:
    folder = os.open(name.parent, os.O_RDONLY)
    try:  # a folder's descriptor makes Python take the call that follows the link
        os.link(f"/proc/self/fd/{descriptor}", name.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
