"""A task, and what some can besides: stream their result, or take several pictures together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from restore_cli.errors import RestoreError
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.telling import Progress


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


@runtime_checkable
class GroupingTask(Task, Protocol):
    """A task that takes several small pictures of one size and depth at a time, in less time than one by one."""

    def group_size(self, height: int, width: int) -> int:
        """Return how many pictures of this size are best restored together; 1 where there is nothing to gain."""

    def restore_group(self, pictures: Sequence[Picture]) -> list[tuple[Picture, Run] | RestoreError]:
        """Restore pictures of equal height and width; an error stands in the place of one that could not be."""
