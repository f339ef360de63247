"""A file that takes its place when it is whole, or leaves no trace."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

from restore_cli.files.naming import shown

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".restore-", ".part"
"""Beginning and end of the names of files that are being written."""
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.6)
"""Seconds for which it is waited on Windows, time after time, for whoever looks at a file."""
SECONDS_TO_REPLACE = 60.0
"""On Windows a temporary file that is younger may be about to take its place."""


@contextmanager
def replacing(target: Path) -> Iterator[BufferedRandom]:
    """Open a new file beside `target`; once it is whole and on the disk it takes the target's place.

    Until then it has no name where the system has such files, so that nothing is left of a process that is killed. It
    has the permissions of a file that it replaces, and where that may be, its owner.

    Raises:
        OSError: something else than a file has the target's name, the folder cannot be written, or the disk is full.
    """
    if target.is_symlink():
        target = target.resolve()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "there is a folder of this name", str(target))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is no ordinary file", str(target))
    temporary = temporary_beside(target)
    descriptor = _open_without_name(target.parent)
    has_name = descriptor is None
    if descriptor is None:
        descriptor = _open_with_name(temporary)
    try:
        with open(descriptor, "w+b") as file:
            _make_like(descriptor, target)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not has_name:  # for the moment in which a run that is killed would leave it
                _give_name(file.fileno(), temporary)
            if fcntl is not None:  # while it is locked, nobody takes it for a leftover
                os.replace(temporary, target)
        if fcntl is None:  # Windows renames no open file
            patiently(os.replace, temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def patiently(move: Callable[..., object], *names: Path) -> None:
    """Rename a file or a folder; on Windows, which refuses that while a scanner, say, has one open, wait for about 2 s.

    Raises:
        OSError: it cannot be done.
    """
    pauses: tuple[float, ...] = PAUSES if fcntl is None else ()
    for pause in pauses:
        with contextlib.suppress(PermissionError):
            move(*names)
            return
        time.sleep(pause)
    move(*names)


def why_unwritable(target: Path) -> str | None:
    """Return why a file cannot be written, as far as can be told beforehand; None where nothing speaks against it."""
    if os.path.isdir(target):
        return "it is a folder"
    folder = unwritable_folder(target)
    return None if folder is None else f"{shown(folder)} cannot be written"


def unwritable_folder(target: Path) -> Path | None:
    """Return the innermost folder above `target` that exists, if nothing can be written there; None if it can."""
    folders = Path(os.path.abspath(target)).parents
    folder = next((folder for folder in folders if os.path.exists(folder)), folders[-1])  # drives may be unplugged
    return None if folder.is_dir() and os.access(folder, os.W_OK) else folder


@contextmanager
def folders_for(target: Path) -> Iterator[None]:
    """Make the folders that lead to `target`; those that are new and empty go again if there is an error."""
    new = new_folders(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        remove_if_empty(new)
        raise


def new_folders(target: Path) -> list[Path]:
    """Return the folders that lead to `target` and do not exist yet, the innermost first."""
    return [folder for folder in target.parents if not os.path.lexists(folder)]


def remove_if_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, as far as nothing lies in them."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def mark_beside(target: Path, suffix: str) -> Path:
    """Return the name of a hidden file that says of `target` what `suffix` stands for.

    It is as short as all others, since names must not become too long.
    """
    name = hashlib.blake2b(os.fsencode(target.name), digest_size=12).hexdigest()
    return target.with_name(f"{TEMPORARY_PREFIX}{name}{suffix}")


def temporary_beside(target: Path) -> Path:
    """Return a name in the target's folder that nothing has."""
    return target.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Let nobody take an empty folder for a leftover, once something lies in it, while the context lasts."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def is_being_written(temporary: Path) -> bool:
    """Tell whether the process may still live that writes a temporary file, or into a `locked_folder`.

    Windows keeps open ones by itself; there it is told by its age whether one is closed that is to take its place.
    """
    try:
        if fcntl is None and time.time() - temporary.stat().st_mtime < SECONDS_TO_REPLACE:
            return True
        descriptor = os.open(temporary, os.O_RDONLY)  # which Windows does with no folder
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
    except OSError:  # it is locked, cannot be, or took its place just now
        return True
    return False


def _open_without_name(folder: Path) -> int | None:
    """Open a new file without a name; None where there are none."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        descriptor = os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o666)
    except OSError:  # some file systems have none; others tell why when a file with a name is made
        return None
    _lock(descriptor)  # it gets a name before it takes its place
    return descriptor


def _open_with_name(path: Path) -> int:
    """Open a new file; another one if somebody took it for a leftover before it was locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _lock(descriptor)
        if fcntl is None or os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed or the process ends, where the file system can."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _make_like(descriptor: int, replaced: Path) -> None:
    """Give an open file the owner and the permissions of another, if there is one, as far as the system lets us."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        there = replaced.stat()
        with contextlib.suppress(OSError):  # most users cannot give files away
            os.fchown(descriptor, there.st_uid, there.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode))


def _give_name(descriptor: int, name: Path) -> None:
    folder = os.open(name.parent, os.O_RDONLY)
    try:  # a folder's descriptor makes Python take the call that follows the link
        os.link(f"/proc/self/fd/{descriptor}", name.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
