"""How a file is called in a message."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path | str) -> str:
    """Return a path's name, or a text, on one line that can be printed: what cannot is escaped as Python does."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(path)
    )
