"""How a file is called in a message."""

from __future__ import annotations

from pathlib import Path

UNDECODED = ("\udc80", "\udcff")
"""The first and the last of the characters that stand for bytes of a name that are no text."""


def shown(path: Path | str, *, escapes_bytes: bool = True) -> str:
    """Return a path's name, or a text, on one line that can be printed: what cannot is escaped as Python does.

    Unless it `escapes_bytes`, those that are no text stay, so that a program finds the file by them.
    """
    first, last = UNDECODED
    return "".join(
        character
        if character.isprintable() or (first <= character <= last and not escapes_bytes)
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(path)
    )
