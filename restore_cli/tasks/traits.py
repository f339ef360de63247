"""What a user knows of pictures that they do not say themselves."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from restore_cli.errors import UsageError

Trait = TypeVar("Trait", "Wrap", "Alpha")


class Wrap(StrEnum):
    """Which edges of a picture meet, as those of textures and panoramas do."""

    X = "x"
    """Left and right."""
    Y = "y"
    """Top and bottom."""
    XY = "xy"
    """Both."""

    @property
    def axes(self) -> tuple[bool, bool]:
        """Whether rows go on behind the last one, and whether columns do."""
        return self is not Wrap.X, self is not Wrap.Y


class Alpha(StrEnum):
    """What the fourth channel of a picture means."""

    TRANSPARENCY = "transparency"
    """Colours under it do not show where it is 0."""
    DATA = "data"
    """Colours show everywhere."""


def find_trait(kind: type[Trait], name: str) -> Trait:
    """Return the member of `kind` that is called `name`; a member is its own name.

    Raises:
        UsageError: none is.
    """
    try:
        return kind(name)
    except ValueError as error:
        raise UsageError(f"no {kind.__name__} is called {name!r}", f"use {' or '.join(kind)}") from error
