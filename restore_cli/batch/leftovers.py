"""What runs leave that are killed in the middle: files and folders that were being written, and claims."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from restore_cli.batch.claims import CLAIM_SUFFIX, drop_if_stale
from restore_cli.files.replacing import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, is_being_written, temporary_beside


def remove_leftovers(folder: Path) -> None:
    """Remove from `folder` the temporary files, folders and claims of processes that are gone; those of others stay."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(TEMPORARY_PREFIX):
                continue
            path = Path(entry.path)
            if entry.name.endswith(CLAIM_SUFFIX):
                drop_if_stale(path)
            elif not entry.name.endswith(TEMPORARY_SUFFIX):
                continue
            elif entry.is_file() and not is_being_written(path):
                with contextlib.suppress(OSError):
                    path.unlink()
            elif entry.is_dir(follow_symlinks=False):
                _remove_folder(path)


def _remove_folder(folder: Path) -> None:
    """Remove a temporary folder whose process is gone; an empty one may have one that is about to lock it."""
    with contextlib.suppress(OSError):
        if any(folder.iterdir()) and not is_being_written(folder):
            renamed = folder.rename(temporary_beside(folder))  # since another run may make one of its name meanwhile
            shutil.rmtree(renamed, ignore_errors=True)
