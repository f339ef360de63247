"""Open a picture's file, and say in words for the user why it cannot be read."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyvips

from restore_cli.errors import NO_THREADS, NO_THREADS_HINT, DeviceError, UnreadablePictureError, UsageError
from restore_cli.files.naming import shown
from restore_cli.picture import vips
from restore_cli.picture.formats import INSTALL_HEIC

Source = Path | str | bytes | bytearray | memoryview | IO[bytes]
"""Where a picture may be read from: a path, the content of a file, or a file that is open."""
UNREADABLE_HINT = "see whether another program opens it; if not, copy or download it again"
"""The hint for a file that cannot be read, where nothing better is known."""

HINTS = {
    errno.ENOENT: "it is gone, or a link that leads nowhere",
    errno.ELOOP: "it is a link that leads to itself",
    errno.EACCES: "whoever owns it can let you read it",
}
"""The hint for what the system says."""
NOT_SUPPORTED = (
    ("labq", "L*a*b* of 8 bits is not supported", "save it as RGB"),
    ("HEVC", "it is HEIC, whose compression is not supported", f"{INSTALL_HEIC}, or save it as JPEG or TIFF"),
)
"""A word in what libvips says, what to say instead, and the hint."""


@contextmanager
def explained(source: Path | bytes, called: str = "the bytes given") -> Iterator[None]:
    """Turn what goes wrong with reading `source` into an error that names it; bytes are `called` so.

    Raises:
        UnreadablePictureError: of the kind that was raised.
        DeviceError: the system gives no more threads.
    """
    name = shown(source) if isinstance(source, Path) else called
    try:
        yield
    except UnreadablePictureError as error:
        raise type(error)(f"cannot read {name}: {error.message}", error.hint or UNREADABLE_HINT) from error
    except pyvips.Error as error:
        if vips.lacks_threads(error):
            raise DeviceError(f"cannot read {name}: {NO_THREADS}", NO_THREADS_HINT) from error
        what, hint = f"it is cut, damaged or of a kind that is not supported ({vips.reason(error)})", UNREADABLE_HINT
        for sign, *better in NOT_SUPPORTED:
            if sign in str(error):
                what, hint = better
        raise UnreadablePictureError(f"cannot read {name}: {what}", hint) from error
    except OSError as error:
        hint = HINTS.get(error.errno or 0, "")
        raise UnreadablePictureError(f"cannot read {name}: {error.strerror or error}", hint) from error


def as_source(source: Source) -> Path | bytes:
    """Return a path, or the content of what holds one.

    Raises:
        UsageError: it is none of these.
        OSError: an open file cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        return Path(source)
    read = None if isinstance(source, io.TextIOBase) else getattr(source, "read", None)
    content = source if read is None else read()
    if not isinstance(content, bytes | bytearray | memoryview):
        raise UsageError(
            f"a picture is read from a path, bytes, or a file open for reading them, not {type(source).__name__}"
        )
    return bytes(content)


def open_picture(source: Path | bytes) -> IO[bytes]:
    """Open a file, or the bytes of one, so that it can be read from its start more than once.

    Raises:
        OSError: it cannot be opened.
        UnreadablePictureError: no file can have its name.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        file = source.open("rb")
    except ValueError as error:
        raise UnreadablePictureError("no file can have this name") from error
    if file.seekable():
        return file
    with file:  # a pipe
        return io.BytesIO(file.read())
