"""Ctrl-C, and a request to end: the first lets the work in hand be finished, a second one stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruption(is_idle: Callable[[], bool] = lambda: False) -> Iterator[Callable[[], bool]]:
    """While the context lasts, let the first SIGINT or SIGTERM be asked for; a second one is a KeyboardInterrupt.

    So is the first while `is_idle` says that there is no work that should be finished.

    An exception alone would not do: libraries that call back into Python, as libvips does to read and write, drop it.
    """
    seen = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if seen or is_idle():
            raise KeyboardInterrupt
        seen = True

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
