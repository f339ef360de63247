"""Ctrl-C, a terminal that closes, a request to end: the first lets work in hand be finished, a second stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from restore_cli.batch.worker_process import ENDING_SIGNALS


@contextmanager
def interruption(is_idle: Callable[[], bool] = lambda: False) -> Iterator[Callable[[], bool]]:
    """While the context lasts, let the first of ENDING_SIGNALS be asked for; a second one is a KeyboardInterrupt.

    So is the first while `is_idle` says that there is no work that should be finished. What is ignored stays so:
    whoever started this program in the background, or by nohup, wants it to go on.

    An exception alone would not do: libraries that call back into Python, as libvips does to read and write, drop it.
    """
    seen = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if seen or is_idle():
            raise KeyboardInterrupt
        seen = True

    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    try:
        for number in heeded:
            signal.signal(number, remember)
        yield lambda: seen
    finally:
        for number in heeded:
            signal.signal(number, before[number])
