"""How it is told that a picture cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from restore_cli.errors import FullDiskError, UnwritablePictureError


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Say what could not be written before saying why."""
    try:
        yield
    except UnwritablePictureError as error:
        raise type(error)(f"{what}: {error.message}", error.hint) from error
    except OSError as error:
        kind = FullDiskError if error.errno in (errno.ENOSPC, errno.EDQUOT) else UnwritablePictureError
        raise kind(f"{what}: {error.strerror or error}") from error
