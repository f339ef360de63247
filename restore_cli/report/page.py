"""A page of HTML about a batch: all in one file that needs no network, with thumbnails before and after."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from restore_cli import __version__
from restore_cli.batch.outcome import Outcome
from restore_cli.batch.totals import MEGAPIXEL, add_up
from restore_cli.errors import RestoreError, UsageError
from restore_cli.files.naming import shown
from restore_cli.files.replacing import folders_for, replacing, why_unwritable
from restore_cli.picture.thumbnail import MEDIA_TYPE, Thumbnail
from restore_cli.report.entry import Entry, add_thumbnails, make_entry

MOST_THUMBNAILS = 500
"""Pictures with thumbnails; a page of so many has about 15 megabytes."""
MOST_ROWS = 20_000
"""Pictures without thumbnails that are listed; browsers become slow beyond."""
THUMBNAIL_SECONDS = 180.0
"""What thumbnails may take to make."""
BEGINNING = b"<!doctype html"
"""What a page begins with, in small letters."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Where on the page the pictures stand."""

    failed: Sequence[Entry]
    """All of them."""
    shown: Sequence[Entry]
    """With thumbnails."""
    listed: Sequence[Entry]
    left_out: int
    """Pictures that are only counted."""


def check_report(target: Path) -> None:
    """Make sure, before a batch begins, that a report can be written to `target`.

    Raises:
        UsageError: it cannot.
    """
    reason = why_unwritable(target)
    if reason is None and _is_something_else(target):
        reason = "it is there already, and no page"
    if reason is not None:
        raise UsageError(f"the report {shown(target)} cannot be written: {reason}", "name another file with --report")


def _is_something_else(target: Path) -> bool:
    """Tell whether there is a file that is no page of HTML, and so not a report of an earlier batch."""
    try:
        with target.open("rb") as file:
            return not file.read(len(BEGINNING)).lower().startswith(BEGINNING)
    except OSError:
        return False


def write_report(target: Path, outcomes: Sequence[Outcome], *, title: str, seconds: float, interrupted: bool) -> None:
    """Write a page about a batch to `target`, whole or not at all; an existing one is replaced.

    `title` is the command that was given, and `seconds` what it took in all. The pictures are looked at where the
    outcomes say that they lie; what is gone or cannot be read is told of in its place.

    Raises:
        RestoreError: the file cannot be written.
    """
    page = render_report(target, outcomes, title=title, seconds=seconds, interrupted=interrupted)
    try:
        with folders_for(target), replacing(target) as file:
            file.write(page.encode())
    except OSError as error:
        raise RestoreError(
            f"cannot write the report {shown(target)}: {error.strerror or error}", "the pictures are not affected"
        ) from error


def render_report(target: Path, outcomes: Sequence[Outcome], *, title: str, seconds: float, interrupted: bool) -> str:
    """Return the page, for a file `target`, in whose folder its links begin."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    environment.filters |= {"megapixels": _megapixels, "brief": _brief, "data_url": _data_url}
    script = _part("script.js")
    totals = add_up(outcomes)
    return environment.from_string(_part("page.html")).render(
        title=title,
        version=__version__,
        now=datetime.now().astimezone(),
        interrupted=interrupted,
        seconds=seconds,
        totals=totals,
        speed=(totals.pixels_read / seconds, totals.pixels_written / seconds) if seconds > 0 else (0.0, 0.0),
        pictures=_select(outcomes, Path(os.path.abspath(target)).parent),
        style=_part("style.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _select(outcomes: Sequence[Outcome], page_folder: Path) -> Selection:
    """Give thumbnails to pictures that were done, first those with notes, as far as the page can bear it."""
    entries = [make_entry(outcome, place, page_folder) for place, outcome in enumerate(outcomes)]
    failed = [entry for entry in entries if entry.outcome.status == "failed"]
    done = [entry for entry in entries if entry.outcome.status == "done"]
    chosen = sorted(done, key=lambda entry: not entry.outcome.notes)[:MOST_THUMBNAILS]
    places = {entry.place for entry in chosen}
    rest = [entry for entry in entries if entry.place not in places and entry.outcome.status != "failed"]
    with_thumbnails = add_thumbnails(sorted(chosen, key=lambda entry: entry.place), THUMBNAIL_SECONDS)
    return Selection(failed, with_thumbnails, rest[:MOST_ROWS], len(rest[MOST_ROWS:]))


def _part(name: str) -> str:
    return files("restore_cli.report").joinpath(name).read_text("utf-8")


def _printable(value: Any) -> Any:
    """Escape what cannot be printed in a text, such as a name, unless it is a part of the page itself."""
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _data_url(thumbnail: Thumbnail) -> str:
    """Return a thumbnail as an address that holds all of it."""
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(thumbnail.content).decode('ascii')}"


def _megapixels(pixels: float) -> str:
    value = pixels / MEGAPIXEL
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _brief(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.1 or seconds == 0 else f"{seconds * 1000:.0f} ms"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
