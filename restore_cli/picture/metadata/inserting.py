"""Bytes put into the middle of a finished file."""

from __future__ import annotations

from typing import IO

MOVED_BYTES = 1 << 20


def insert(file: IO[bytes], at: int, content: bytes) -> None:
    """Move all from `at` on towards the end, the last part first, and write `content` there."""
    end = file.seek(0, 2)
    while end > at:
        start = max(at, end - MOVED_BYTES)
        file.seek(start)
        moved = file.read(end - start)
        file.seek(start + len(content))
        file.write(moved)
        end = start
    file.seek(at)
    file.write(content)
