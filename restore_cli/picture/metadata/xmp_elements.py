"""Elements of XMP packets, found as text: each part of a packet is searched once, however many lack their end."""

from __future__ import annotations

import re
from collections.abc import Callable


def element_pattern(name: bytes) -> re.Pattern[bytes]:
    """Compile what finds the elements whose names match the pattern `name`, which has no groups."""
    return re.compile(
        rb"<(?P<name>" + name + rb")(?=[\s/>])(?:[^<>]*/>|.*?</(?P=name)\s*>|(?P<endless>.*))",
        re.DOTALL,
    )


def change_elements(packet: bytes, pattern: re.Pattern[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """Change each element that `pattern` finds; one without an end stays as it is, with all that follows it."""
    return pattern.sub(lambda found: change(found[0]) if found["endless"] is None else found[0], packet)
