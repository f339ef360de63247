"""Claims on results: of all runs, on this machine or on others that share its folders, one makes a picture."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import SoftFileLock, Timeout

from restore_cli.errors import ClaimedError, ForeignClaimError, UnwritablePictureError
from restore_cli.files.naming import shown
from restore_cli.files.replacing import mark_beside, new_folders, remove_if_empty
from restore_cli.picture.unwritable import OTHER_PLACE_HINT, told_as
from restore_cli.telling import Tell

CLAIM_SUFFIX = ".claim"
NAMESPACE_MARK = "?pidns-"
"""What comes between the name of a machine and the number of a container on it, whose processes others do not see."""
SECONDS_TO_SIGN = 5.0
"""An empty claim that is older belongs to nobody: whoever made it was killed before it could write its name."""
ATTEMPTS = 10
"""How often a folder is made anew that another run takes away, since it left it empty."""


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Let nobody else make `target` while the context lasts; its folder is made, and goes again if it stays empty.

    A claim is a file beside `target` that is created exclusively, and tells the process and the machine. That of a
    process of this machine that is gone counts for nothing.

    Raises:
        ClaimedError: another run has the picture in hand; a ForeignClaimError if it is on another machine or in
            another container.
        UnwritablePictureError: the folder cannot be written, or something else has the name of the claim.
    """
    new = new_folders(target)
    claim = SoftFileLock(claim_on(target), thread_local=False)
    with told_as(f"cannot write {shown(target)}", OTHER_PLACE_HINT):
        _acquire(claim, target)
    try:
        yield
    finally:
        claim.release()
        if not os.path.exists(target):
            remove_if_empty(new)


def claim_on(target: Path) -> Path:
    """Return the name of the claim on `target`."""
    return mark_beside(target, CLAIM_SUFFIX)


def words_on_waiting(target: Path) -> str:
    """Return what to tell where another run is waited for."""
    return f"another run has {shown(target)} in hand, and is waited for; {shown(claim_on(target))} says so"


class WaitingNote:
    """Tells, once in a run, that another one is waited for."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._is_told = False

    def __call__(self, target: Path | None, *, again: bool) -> None:
        """Note that another run has `target` in hand, which is waited for where that is so `again`."""
        if again and target is not None and not self._is_told:
            self._is_told = True
            self._tell(words_on_waiting(target))


def drop_if_stale(claim: Path) -> None:
    """Remove a claim if the process is gone that made it."""
    if _is_no_claim(claim):
        return
    if _is_cut_off(claim):
        claim.unlink(missing_ok=True)
    with contextlib.suppress(Timeout, OSError), SoftFileLock(claim, timeout=0, thread_local=False):
        pass


def _acquire(claim: SoftFileLock, target: Path) -> None:
    if "\0" in str(target):
        raise UnwritablePictureError("no file can have this name")
    if _is_no_claim(Path(claim.lock_file)):
        raise UnwritablePictureError(f"{shown(Path(claim.lock_file))} is no ordinary file", "delete it")
    for attempt in range(ATTEMPTS):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            claim.acquire(blocking=False)
        except Timeout as error:
            file = Path(claim.lock_file)
            if _is_cut_off(file):
                file.unlink(missing_ok=True)
            elif file.exists():  # where it was a dead process's, some file systems allow no more than to remove it
                raise _explain(file) from error
        except FileNotFoundError:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return
    raise ClaimedError("another run has it in hand")


def _is_no_claim(path: Path) -> bool:
    """Tell whether something has the name of a claim that no run makes: a pipe, say, would be read for ever."""
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:  # there is none
        return False


def _is_cut_off(claim: Path) -> bool:
    """Tell whether the process that made a claim ended before it could write its name there."""
    with contextlib.suppress(OSError):
        found = claim.stat()
        return found.st_size == 0 and time.time() - found.st_mtime > SECONDS_TO_SIGN
    return False


def _explain(claim: Path) -> ClaimedError:
    """Return the error that tells whose claim it is."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        host = _host_on(claim)
        if host != _own_host():
            return ForeignClaimError(
                f"another run has it in hand, on {host.partition(NAMESPACE_MARK)[0]}",
                f"if that run is dead, delete {shown(claim)}",
            )
    return ClaimedError("another run has it in hand")


def _host_on(claim: Path) -> str:
    return claim.read_text(encoding="utf-8").splitlines()[1]


@cache
def _own_host() -> str:
    """Return what claims of this process tell of its machine, and of its container: the library alone knows."""
    with TemporaryDirectory() as folder, SoftFileLock(claim_on(Path(folder, "own"))) as own:
        return _host_on(Path(own.lock_file))
