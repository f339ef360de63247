"""What the system tells of changes in folders, as they happen.

Of what another machine does on a network file system it tells nothing; with WATCHFILES_FORCE_POLLING=1 in the
environment, which the library obeys, that is found as well, at the cost of looking all the time.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import watchfiles

from restore_cli.errors import RestoreError

WAIT = 100
"""Milliseconds that pass at most until changes are asked for once more, and in which they are gathered."""
STEP = 50
"""Milliseconds without another change after which they are told sooner."""
ATTEMPTS = 5
"""To begin; the library fails when a file changes whose name is not UTF-8."""
HINT = "the system may allow more (on Linux fs.inotify.max_user_watches); WATCHFILES_FORCE_POLLING=1 does without"

Told = Generator[set[tuple[watchfiles.Change, str]], None, None]


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a file or a folder."""

    path: Path
    came: bool
    """Whether it was not there before under this name."""


class ChangeMonitor:
    """Gathers changes in folders from the moment it is made on."""

    def __init__(self, folders: Iterable[Path], *, recursive: bool) -> None:
        """Begin with `folders`, which are absolute and free of links, and if `recursive` those in them.

        Raises:
            RestoreError: they cannot be watched.
        """
        self._folders = tuple(folders)
        self._recursive = recursive
        self._told: Told | None = None
        self._early: frozenset[Change] = frozenset()
        error: Exception | None = None
        for _ in range(ATTEMPTS):
            error = self._begin()
            if error is None:
                return
        names = ", ".join(map(str, self._folders))
        raise RestoreError(f"cannot watch {names}: {error}", HINT) from error

    def tell(self) -> frozenset[Change] | None:
        """Return, after a fifth of a second at most, what has changed since the last time; None if that is not known.

        Raises:
            RestoreError: a folder is gone.
        """
        if self._told is not None and self._identify() == self._identities:
            early, self._early = self._early, frozenset()
            try:
                return early | self._next(self._told)
            except (OSError, RuntimeError):
                self._identify()
        self.close()
        if self._begin() is not None:
            time.sleep(WAIT / 1000)  # it is tried again when it is asked next
        return None

    def close(self) -> None:
        """Let the system stop watching."""
        if self._told is not None:
            self._told.close()
            self._told = None

    def _begin(self) -> Exception | None:
        """Watch from now on; return why that is not possible."""
        self._identities = self._identify()
        told = watchfiles.watch(
            *self._folders,
            watch_filter=None,
            debounce=WAIT,
            step=STEP,
            rust_timeout=WAIT,
            yield_on_timeout=True,
            recursive=self._recursive,
            ignore_permission_denied=True,
        )
        try:
            self._early = self._next(told)  # it begins when it is first asked
        except (OSError, RuntimeError, UnicodeError) as error:
            return error
        self._told = told
        return None

    def _next(self, told: Told) -> frozenset[Change]:
        return frozenset(Change(Path(name), kind is watchfiles.Change.added) for kind, name in next(told))

    def _identify(self) -> list[tuple[int, int]]:
        """Return what tells each folder from another one that takes its name.

        Raises:
            RestoreError: it is gone.
        """
        identities = []
        for folder in self._folders:
            try:
                stat = folder.stat()
            except OSError as error:
                raise RestoreError(f"the folder {folder}, which was watched, is gone") from error
            identities.append((stat.st_dev, stat.st_ino))
        return identities
