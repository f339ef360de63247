"""What a page shows of one picture: a name, links and two thumbnails."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from restore_cli.batch.outcome import Outcome
from restore_cli.batch.sources import STANDARD_STREAM
from restore_cli.picture.formats import DEEP_ZOOM, format_of_path
from restore_cli.picture.thumbnail import Thumbnail, TooLargeError, make_thumbnail

SIDE = 320
"""Pixels that a thumbnail has at most a side: twice what a page shows, for screens with small pixels."""
WORKERS = 4
"""Thumbnails that are made at once, at most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture on the page."""

    outcome: Outcome
    place: int
    """In the batch, from 0."""
    source_url: str | None
    """None where there is no file to go to; likewise below."""
    target_url: str | None
    before: Thumbnail | str = ""
    """A thumbnail, or why there is none."""
    after: Thumbnail | str = ""

    @property
    def name(self) -> str:
        """What a heading calls it."""
        return "standard input" if self.outcome.source == STANDARD_STREAM else os.path.basename(self.outcome.source)

    @property
    def folder(self) -> str:
        """Where it lies, as the user named it."""
        return os.path.dirname(self.outcome.source)

    @property
    def seconds(self) -> float:
        """How long it took to read, restore and write."""
        return self.outcome.seconds.total


def make_entry(outcome: Outcome, place: int, page_folder: Path) -> Entry:
    """Return the entry, without thumbnails, for a page that lies in `page_folder`."""
    target = None if outcome.status == "failed" else outcome.target
    return Entry(outcome, place, _url(outcome.source, page_folder), _url(target, page_folder))


def add_thumbnails(entries: Sequence[Entry], seconds: float) -> list[Entry]:
    """Return entries with thumbnails, as far as they can be made within about `seconds`."""
    deadline = time.monotonic() + seconds

    def add(entry: Entry) -> Entry:
        outcome = entry.outcome
        before, after = _thumbnail_of(outcome.source, deadline), _thumbnail_of(outcome.target or "", deadline)
        return replace(entry, before=before, after=after)

    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        return list(pool.map(add, entries))


def _thumbnail_of(name: str, deadline: float) -> Thumbnail | str:
    """Return the thumbnail of a file, or why there is none."""
    if name in (STANDARD_STREAM, ""):
        return "not a file"
    if format_of_path(name) is DEEP_ZOOM:
        return "Deep Zoom tiles"
    if not os.path.exists(name):
        return "no longer there"
    if time.monotonic() > deadline:
        return "no time for more thumbnails"
    try:
        return make_thumbnail(Path(name), SIDE)
    except TooLargeError:
        return "too large for a thumbnail"
    except Exception:  # whatever is wrong with one picture, the page tells of the others
        return "cannot be shown"


def _url(name: str | None, page_folder: Path) -> str | None:
    """Return the address of a file, relative to the page: a page can be moved together with its pictures."""
    if name is None or name == STANDARD_STREAM:
        return None
    path = os.path.abspath(name)
    try:
        relative = os.path.relpath(path, page_folder)
    except ValueError:  # on another drive
        return Path(path).as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))
