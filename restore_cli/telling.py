"""What long work tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""
Tell = Callable[[str], None]
"""Called with a line of words that the user should know."""


def sub_progress(progress: Progress, start: float, share: float) -> Progress:
    """Return the progress of a part that begins at `start` and makes up `share` of the whole."""
    return lambda part: progress(start + share * part)
