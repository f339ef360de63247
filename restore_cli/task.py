"""What can be done to a picture, apart from any file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.tile_pass import Progress


class Task(Protocol):
    """What is done to a picture, apart from any file."""

    model: str
    """Name of the checkpoint."""
    device: str

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Return height and width of a picture's result; None if the picture is to be left alone."""

    def __call__(self, picture: Picture, progress: Progress) -> tuple[Picture, Run]:
        """Restore `picture`."""


@runtime_checkable
class StreamingTask(Task, Protocol):
    """A task that need not hold the whole result."""

    def stream(self, picture: Picture, receive: Callable[[Picture], None], progress: Progress) -> Run:
        """Restore `picture` and hand the result on in bands of its rows, from the top down."""
