"""What long work tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""
Tell = Callable[[str], None]
"""Called with a line of words that the user should know."""
