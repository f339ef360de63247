"""`restore status`."""

from __future__ import annotations

import json as json_format
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from restore_cli.cli.options import Debug
from restore_cli.files.naming import shown


def status(
    manifest: Annotated[Path, typer.Argument(metavar="FILE", help="What --manifest named.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON record.")] = False,
    debug: Debug = False,
) -> None:
    """Tell how far a batch is: pictures done, failed and left, its speed, the time to go, and what failed."""
    from restore_cli.batch.status import read_status

    found = read_status(manifest)
    if json:
        failures = [{"source": source, "reason": reason} for source, reason in found.failures]
        print(json_format.dumps(asdict(found) | {"failures": failures, "seconds_to_go": found.seconds_to_go}))
        return
    print(f"{found.done} done, {found.skipped} skipped, {found.failed} failed, {found.left} left")
    if found.pictures_per_second is not None and found.seconds_to_go is not None and found.left:
        to_go = timedelta(seconds=round(found.seconds_to_go))
        print(f"{found.pictures_per_second:.2f} pictures a second, {to_go} to go")
    if found.last_ended is not None and found.left:
        since = timedelta(seconds=max(0, round(time.time() - found.last_ended)))
        print(f"the last one ended {since} ago")
    for source, reason in found.failures:
        print(f"failed\t{shown(source)}\t{shown(reason)}")
