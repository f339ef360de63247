"""Storage for the arrays of large pictures: in memory, or in scratch files that vanish with the process."""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from restore_cli.errors import UnwritablePictureError
from restore_cli.memory import GIBIBYTE, MEBIBYTE, UNLIMITED

LARGEST_IN_MEMORY = 256 * MEBIBYTE
"""Bytes of a picture's arrays from which on they lie in scratch files, however much memory is free."""
BAND_BYTES = 16 * MEBIBYTE
"""Bytes of the bands in which arrays are worked on that may lie in a scratch file."""
FEW_ROWS = 64
"""Rows that are converted at a time, so that no second copy of a large array is made."""
SCRATCH_HINT = "set RESTORE_TMPDIR to a folder that can be written"
"""The hint where scratch files cannot be made."""


def scratch_folder() -> str:
    """Return the folder for scratch files: RESTORE_TMPDIR, or the system's.

    Raises:
        UnwritablePictureError: the system has none that can be written, as in a container that can only be read.
    """
    try:
        return os.environ.get("RESTORE_TMPDIR") or tempfile.gettempdir()
    except FileNotFoundError as error:
        raise UnwritablePictureError("no temporary folder can be written", SCRATCH_HINT) from error


def open_scratch() -> IO[bytes]:
    """Open a new file that has no name, so that it is gone with the process however that ends.

    Raises:
        UnwritablePictureError: the folder for scratch files cannot be written.
    """
    folder = scratch_folder()
    try:
        return tempfile.TemporaryFile(prefix="restore-", suffix=".scratch", dir=folder)
    except OSError as error:
        raise _explain(error, "a scratch file") from error


def map_scratch(wanted: int) -> mmap.mmap:
    """Map a new scratch file of `wanted` bytes.

    Its place on the disk is taken at once: a full disk shall be an error now, not a crash later.

    Raises:
        UnwritablePictureError: the folder for scratch files cannot be written.
        OSError: it has no room for the file.
    """
    with open_scratch() as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, wanted)
        else:
            if shutil.disk_usage(scratch_folder()).free < wanted:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            file.truncate(wanted)
        return mmap.mmap(file.fileno(), wanted)


def map_memory(wanted: int) -> mmap.mmap:
    """Return memory that goes back to the system whole when it is freed, and leaves no gaps; in large pages if any."""
    try:
        memory = mmap.mmap(-1, wanted)
    except OSError as error:
        raise MemoryError(f"no memory for {wanted} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def release(mappings: Iterable[mmap.mmap]) -> None:
    """Let go of the memory in which parts of mapped files lie; their content stays."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for mapping in mappings:
            with contextlib.suppress(OSError, ValueError):
                mapping.madvise(mmap.MADV_DONTNEED)


class ArrayStorage:
    """Makes the arrays of one picture: in memory as long as they fit there, and then in scratch files."""

    def __init__(self, in_memory: int = UNLIMITED) -> None:
        """`in_memory` is how many bytes may lie in memory."""
        self._left = in_memory
        self._mappings: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def __reduce__(self) -> tuple[type[ArrayStorage], tuple[()]]:
        """Go to other processes as one without limit: arrays that lie here arrive there as copies in memory."""
        return ArrayStorage, ()

    def claim(self, wanted: int) -> bool:
        """Tell whether `wanted` bytes more may lie in memory, and count them as taken if so."""
        fits = wanted <= self._left
        if fits:
            self._left -= wanted
        return fits

    def settled(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return `array` contiguous, where it is a view and there is memory for a copy; else as it is."""
        if array.flags.c_contiguous or not self.claim(array.nbytes):
            return array
        return np.ascontiguousarray(array)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of undefined content.

        Raises:
            UnwritablePictureError: it does not fit the folder for scratch files, or that cannot be written.
        """
        wanted = math.prod(shape) * np.dtype(dtype).itemsize
        if self.claim(wanted):
            return np.empty(shape, dtype)
        try:
            mapping = map_scratch(wanted)
        except OSError as error:
            raise _explain(error, f"a scratch file of {wanted / GIBIBYTE:.1f} GiB") from error
        self._mappings.add(mapping)
        array = np.frombuffer(mapping, dtype, count=math.prod(shape))
        return array.reshape(shape)

    def release(self) -> None:
        """Let go of the memory in which parts of scratch files lie; their content stays."""
        release(self._mappings)


def _explain(error: OSError, file: str) -> UnwritablePictureError:
    """Say why there is no such scratch `file`."""
    folder = scratch_folder()
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        message, hint = f"{file} does not fit {folder}", "set RESTORE_TMPDIR to a folder with more room"
    else:
        message, hint = f"cannot make {file} in {folder}", SCRATCH_HINT
    return UnwritablePictureError(f"{message}: {error.strerror}", hint)


def rows_in_bands(height: int, row_bytes: int, most: int | None = None) -> list[slice]:
    """Divide `height` rows of `row_bytes` each into bands of at most `most` bytes, or BAND_BYTES, or of one row."""
    rows = max(1, (most or BAND_BYTES) // max(1, row_bytes))
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def few_rows_each(height: int) -> list[slice]:
    """Divide `height` rows into bands of FEW_ROWS, however wide they are: sums over them do not depend on the width."""
    return rows_in_bands(height, 1, FEW_ROWS)
