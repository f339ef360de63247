"""What runs leave that are killed in the middle: files that were being written, and claims."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from restore_cli.files.replacing import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, is_being_written
from restore_cli.picture.claims import CLAIM_SUFFIX, drop_if_stale


def remove_leftovers(folder: Path) -> None:
    """Remove from `folder` the temporary files and claims of processes that are gone; those of others stay."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(TEMPORARY_PREFIX):
                continue
            path = Path(entry.path)
            if entry.name.endswith(CLAIM_SUFFIX):
                drop_if_stale(path)
            elif entry.name.endswith(TEMPORARY_SUFFIX) and entry.is_file() and not is_being_written(path):
                with contextlib.suppress(OSError):
                    path.unlink()
