"""Folders that are watched: pictures that come or change, each as soon as it is whole.

What the system tells of changes is only a hint of where to look: it does not tell what a new folder held when it came,
and when much happens at once it may drop something. So new folders are searched, and from time to time all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from restore_cli.batch.changes import Change, ChangeMonitor
from restore_cli.batch.sources import (
    Listing,
    Source,
    Stamp,
    holds_tiles,
    is_picture_name,
    is_unread_name,
    pictures_in,
    stamp_of,
)
from restore_cli.errors import UsageError

SEARCH_PAUSE = 60.0
"""Seconds from one search of all folders to the next, where nothing calls for one."""
LEAST_PAUSE_IN_SEARCHES = 20
"""How many times as long as a search takes the pause after it is, at least."""


@dataclass(frozen=True, slots=True)
class _Unsettled:
    """A file that may not be whole yet."""

    source: Source
    stamp: Stamp
    since: float
    """When it was first seen like this, on the monotonic clock."""


class FolderWatcher:
    """Watches folders from the moment it is made on; iterate over it to learn what came or changed.

    To miss nothing and do nothing twice: make it, find out what is there already, and say with `pass_over` what of that
    is going to be read.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        recursive: bool = True,
        output: str | None = None,
        settle: float = 1.0,
        passes_over: Callable[[Path], bool] = lambda path: False,
    ) -> None:
        """Begin to watch `folders`, and if `recursive` those in them; what lies in the folder `output` is left out.

        A file is whole when neither its size nor its time has changed for `settle` seconds. `passes_over` tells which
        files are no inputs, such as results that lie among them.

        Raises:
            UsageError: one of them is no folder.
            RestoreError: they cannot be watched.
        """
        for folder in folders:
            if not os.path.isdir(folder):
                raise UsageError(f"{folder} cannot be watched, it is no folder", "name the folder that it lies in")
        self.folders = {folder.resolve(): folder for folder in folders}
        self.recursive = recursive
        self.output = Path(output).resolve() if output else None
        self.settle = settle
        self.passes_over = passes_over
        self._monitor = ChangeMonitor(self.folders, recursive=recursive)
        self._unsettled: dict[str, _Unsettled] = {}  # by absolute path
        self._known: dict[str, Stamp] = {}  # what was there at the beginning or has been told of, by absolute path
        self._new_folders: dict[Path, float] = {}  # and when to search them
        self._unread: dict[str, Path] = {}  # pictures of kinds that are not read, by absolute path
        self._next_search = self._earliest_search = 0.0
        self._search()
        self._known |= {key: file.stamp for key, file in self._unsettled.items()}
        self._unsettled.clear()
        self._unread_at_first = frozenset(self._unread)

    @property
    def unread(self) -> list[Path]:
        """Pictures of kinds that are not read which have come since it was made."""
        return [path for key, path in self._unread.items() if key not in self._unread_at_first]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._monitor.close()

    def pass_over(self, paths: Iterable[Path]) -> None:
        """Take files for known as they are now: they are told of when they change."""
        for path in paths:
            stamp = stamp_of(path)
            if stamp is not None:
                self._known[os.path.abspath(path)] = stamp

    def __iter__(self) -> Iterator[list[Source]]:
        """Yield, about five times a second and for ever, the pictures that are new or changed and whole; mostly none.

        One that is told of and changes again is told of again. An empty file is not whole.

        Raises:
            RestoreError: a folder that is watched is gone.
        """
        while True:
            changes = self._monitor.tell()
            for change in changes or ():
                self._look_at(change)
            now = time.monotonic()
            for folder in [folder for folder, due in self._new_folders.items() if now >= due]:
                del self._new_folders[folder]
                self._look_into(folder)
            if changes is None:
                self._next_search = min(self._next_search, self._earliest_search)
            if now >= self._next_search:
                self._search()
            yield self._take_whole()

    def _look_at(self, change: Change) -> None:
        """Look at a file or folder of which the system tells."""
        path = change.path
        root = next((root for root in reversed(self.folders) if path.is_relative_to(root)), None)
        if root is None or path == root or not self._is_searched(path, root):
            return
        path = self.folders[root] / path.relative_to(root)
        if is_picture_name(path.name):
            self._consider(Source(path, self.folders[root]))
        elif is_unread_name(path.name) and stamp_of(path) is not None:
            self._unread[os.path.abspath(path)] = path
        if change.came and self.recursive and path.is_dir() and not (path.name.startswith(".") or path.is_symlink()):
            self._new_folders[path] = time.monotonic() + self.settle  # by then, all that comes to it is told

    def _is_searched(self, path: Path, root: Path) -> bool:
        """Tell whether a search of the folder `root` would come by the path."""
        inner = [folder for folder in path.parents if folder.is_relative_to(root) and folder != root]
        if inner and not self.recursive:
            return False
        if self.output is not None and self.output in (path, *inner):
            return False
        return not any(folder.name.startswith(".") or folder.is_symlink() or holds_tiles(folder) for folder in inner)

    def _look_into(self, folder: Path) -> None:
        if any(map(holds_tiles, (folder, *folder.parents))):
            return
        root = next(root for root in reversed(self.folders.values()) if folder.is_relative_to(root))
        self._consider_all(pictures_in(folder, self.recursive, self.output), root)

    def _search(self) -> None:
        """Look at all there is, and forget what is gone."""
        began = time.monotonic()
        found: set[str] = set()
        for folder in reversed(self.folders.values()):
            listing = pictures_in(folder, self.recursive, self.output)
            self._consider_all(listing, folder)
            found |= {os.path.abspath(path) for path in listing.pictures}
        self._known = {key: stamp for key, stamp in self._known.items() if key in found}
        ended = time.monotonic()
        self._earliest_search = ended + LEAST_PAUSE_IN_SEARCHES * (ended - began)
        self._next_search = max(self._earliest_search, ended + SEARCH_PAUSE)

    def _consider_all(self, listing: Listing, root: Path) -> None:
        """Look at what lies in a folder below `root`, or in `root` itself."""
        for path in listing.pictures:
            self._consider(Source(path, root))
        self._unread |= {os.path.abspath(path): path for path in listing.unread}

    def _consider(self, source: Source) -> None:
        """Let a picture rest if it is new or changed."""
        key, stamp = os.path.abspath(source.path), stamp_of(source.path)
        if stamp is None:
            self._known.pop(key, None)
        if stamp is None or stamp == self._known.get(key) or self.passes_over(source.path):
            self._unsettled.pop(key, None)
            return
        before = self._unsettled.get(key)
        if before is None or before.stamp != stamp:
            self._unsettled[key] = _Unsettled(source, stamp, time.monotonic())

    def _take_whole(self) -> list[Source]:
        """Return what has rested long enough, in the order of its names."""
        now, whole = time.monotonic(), []
        for key, file in sorted(self._unsettled.items()):
            self._consider(file.source)
            if self._unsettled.get(key) is file and now - file.since >= self.settle and file.stamp[0] > 0:
                del self._unsettled[key]
                self._known[key] = file.stamp
                whole.append(file.source)
        return whole
