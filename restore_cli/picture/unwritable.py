"""How it is told that a picture cannot be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restore_cli.errors import FullDiskError, UnwritablePictureError
from restore_cli.files.naming import shown

OTHER_PLACE_HINT = "name another place with -o"
"""What helps where a file cannot be written."""


@contextmanager
def told_as(what: str, hint: str = "") -> Iterator[None]:
    """Say what could not be written before saying why; `hint` is what helps, other than room on the disk."""
    try:
        yield
    except UnwritablePictureError as error:
        raise type(error)(f"{what}: {error.message}", error.hint) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FullDiskError(f"{what}: {error.strerror}") from error
        raise UnwritablePictureError(f"{what}: {_reason(error)}", hint) from error


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError) and error.filename is not None:
        path = Path(os.fsdecode(error.filename))
        there = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
        if not there.is_dir():
            return f"{shown(there)} is no folder"
    return error.strerror or str(error)
