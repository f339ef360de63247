"""The errors a user can meet, as one tree.

    RestoreError              exit 1, the parent of all
    ├── UsageError            exit 2, the request itself cannot be carried out
    │   └── UnknownModelError         no checkpoint has that name
    ├── PictureError          exit 1, one picture cannot be read or restored
    │   ├── UnreadablePictureError    damaged, empty, of no known format, or too large
    │   ├── UnwritablePictureError    the result cannot be written where it should lie
    │   │   └── FullDiskError                 nor can any other
    │   ├── ClaimedError              another run has it in hand
    │   │   └── ForeignClaimError             on another machine
    │   └── NotFiniteError            the network made infinities or NaN of it
    ├── WeightsError          exit 3, weights are missing or wrong
    │   ├── DownloadError             they could not be fetched
    │   ├── HashMismatchError         the file is not the one that was published
    │   ├── StateDictError            the file is of no known network, or keys are missing or extra
    │   └── UnwritableWeightsError    exit 1, they cannot be written where they should lie
    └── DeviceError           exit 4, the device does not compute, or is out of memory
        └── AbsentDeviceError         it is not here

An error is raised where it is understood and worded once, at the edge: `message` names the file and the value,
`hint` says what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NO_THREADS = "the system gives no more threads"
NO_THREADS_HINT = "give fewer --threads or --workers, or start the same command again, which skips what is done"
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; that is nobody's error."""


class RestoreError(Exception):
    """An error with one line of what happened and one of what helps."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[RestoreError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class UsageError(RestoreError):
    """The request contradicts itself or asks for what does not exist."""

    exit_code = 2


class UnknownModelError(UsageError):
    """No checkpoint has the name that was given."""


class PictureError(RestoreError):
    """One picture failed; the others are not affected."""


class UnreadablePictureError(PictureError):
    """The file is damaged, empty, of no known format, or too large."""


class UnwritablePictureError(PictureError):
    """The result cannot be written where it should lie."""


class FullDiskError(UnwritablePictureError):
    """The disk is full, or the user's share of it; the next result would not fit either."""


class ClaimedError(PictureError):
    """Another run has the picture in hand."""


class ForeignClaimError(ClaimedError):
    """Another run has it in hand, on another machine or in a container: that it ended is not noticed here."""


class NotFiniteError(PictureError):
    """The network made infinities or NaN of the picture."""


class WeightsError(RestoreError):
    """Weights are missing or wrong."""

    exit_code = 3


class UnwritableWeightsError(WeightsError):
    """Weights or a checkpoint cannot be written where they should lie."""

    exit_code = 1


class DownloadError(WeightsError):
    """Weights could not be fetched."""


class HashMismatchError(WeightsError):
    """A file's hash is not the one that was published."""


class StateDictError(WeightsError):
    """A state dict belongs to no known network, or its keys or shapes do not fit the one it belongs to."""


class DeviceError(RestoreError):
    """The device does not compute, lacks the precision, or is out of memory."""

    exit_code = 4


class AbsentDeviceError(DeviceError):
    """There is no such device here."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the beginning of a hint that names the nearest of the `known` words; nothing where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}? " if near else ""
