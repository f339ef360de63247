"""Blocks of metadata in texts of PNG, as ImageMagick and others write them: name, length, hexadecimal digits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from restore_cli.picture.metadata.iptc import PHOTOSHOP, photoshop_block, records_of
from restore_cli.picture.metadata.jpeg_segments import XMP_NAMESPACE

KEYWORD = "Raw profile type "
LINE = 72
"""Digits in a line."""


class RawProfiles(NamedTuple):
    """What such texts hold."""

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    damaged: bool = False
    """Whether one of them is."""


def read_profiles(texts: Iterable[tuple[str, bytes]]) -> RawProfiles:
    """Return the blocks in such texts, each a keyword and bytes."""
    found = RawProfiles()
    for keyword, text in texts:
        kind, block = keyword.removeprefix(KEYWORD).lower(), _unpack(text)
        if kind == "app1" and block is not None:
            kind = "xmp" if block.startswith(XMP_NAMESPACE) else "exif"
        if kind not in ("exif", "xmp", "app1", "iptc", "8bim"):
            continue
        if block is None:
            found = found._replace(damaged=True)
        elif kind == "exif":
            found = found._replace(exif=block)
        elif kind == "xmp":
            found = found._replace(xmp=block.removeprefix(XMP_NAMESPACE))
        else:
            found = found._replace(iptc=records_of(block) or found.iptc)
    return found


def iptc_profile(records: bytes) -> tuple[str, bytes]:
    """Return the keyword and the text of IPTC records, for which PNG has no other place."""
    block = photoshop_block(records).removeprefix(PHOTOSHOP)
    digits = block.hex()
    lines = [digits[at : at + LINE] for at in range(0, len(digits), LINE)]
    return f"{KEYWORD}iptc", "\n".join(["", "iptc", f"{len(block):8}", *lines, ""]).encode()


def _unpack(text: bytes) -> bytes | None:
    """Return the bytes that the digits of a text stand for; None if it is damaged."""
    _, _, rest = text.strip().partition(b"\n")
    length, _, digits = rest.strip().partition(b"\n")
    try:
        block = bytes.fromhex(digits.decode("ascii"))
        return block if len(block) == int(length) else None
    except ValueError:
        return None
