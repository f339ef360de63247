"""Segments of JPEG before its samples (ITU-T T.81, B.1.1.4), and the EXIF, XMP and comments in them."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Sequence
from typing import IO

from restore_cli.picture.metadata.density import INCH, Density, density
from restore_cli.picture.metadata.exif import HEADERS, PREFIX
from restore_cli.picture.metadata.inserting import insert
from restore_cli.picture.metadata.iptc import PHOTOSHOP
from restore_cli.picture.metadata.part import Part
from restore_cli.picture.metadata.texts import COMMENT, Text, decode_comment

APP = tuple(bytes([marker]) for marker in range(0xE0, 0xF0))
COM, DQT, SOS, FILLING = b"\xfe", b"\xdb", b"\xda", b"\xff"
"""Second bytes of markers: of applications, a comment, tables of quantisation, a scan, which the samples follow. A byte
of filling may stand before any of them."""
APP0, APP1, APP11, APP13 = APP[0], APP[1], APP[11], APP[13]
JFIF = b"JFIF\0"
"""How the segment begins that states the density of pixels; a version follows, the unit, and two numbers of 16 bits."""
JFIF_AT, DENSITY_AT = 6, 13
"""Where it and the unit stand in a finished file of libvips."""
JFIF_UNITS = {1: INCH, 2: 10.0}
"""Millimetres by the unit; any other is none."""
READ_BYTES = 1 << 10
"""Bytes of filling that are passed at once; few, as there may be filling before each of many short segments."""
TABLE_STEPS = 64
LARGEST_SEGMENT, LARGEST_XMP = 65_533, 65_502
"""Bytes of its content, and of an XMP packet in it (XMP Specification, part 3)."""
XMP_NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
"""Stands before XMP."""


def walk_segments(file: IO[bytes]) -> Iterator[Part]:
    """Yield each segment before the samples, the second byte of its marker as its kind."""
    at = 2
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[:1] != b"\xff" or head[1:2] == SOS:
            return
        if head[1:2] == FILLING:
            at = _last_of_filling(file, at)
            continue
        segment = Part(file, head[1:2], at + 4, max(int.from_bytes(head[2:], "big") - 2, 0))
        yield segment
        at = segment.end


def contents(file: IO[bytes], marker: bytes) -> Iterator[bytes]:
    """Yield the contents of the segments before the samples that have a marker."""
    return (segment.read() for segment in walk_segments(file) if segment.kind == marker)


def read_exif(file: IO[bytes]) -> bytes | None:
    """Return the first EXIF block, put together where it is too long for one segment and goes on in the next ones."""
    parts: list[bytes] = []
    for segment in walk_segments(file):
        content = segment.read() if segment.kind == APP1 else b""
        is_other = not content.startswith(PREFIX) or content.startswith(HEADERS, len(PREFIX))
        if parts and is_other:
            break
        if len(content) > len(PREFIX) and content.startswith(PREFIX):
            parts.append(content[len(PREFIX) :])
    return b"".join(parts) or None


def read_density(file: IO[bytes]) -> Density:
    """Return what JFIF states of the pixels."""
    for content in contents(file, APP0):
        if content.startswith(JFIF) and len(content) >= 12:
            unit, across, down = struct.unpack_from(">BHH", content, 7)
            return density(across, down, JFIF_UNITS.get(unit))
    return Density()


def leave_density_unsaid(file: IO[bytes]) -> None:
    """Let the JFIF of a finished file state that pixels are square, and no size, which libvips always writes."""
    file.seek(JFIF_AT)
    if file.read(len(JFIF)) == JFIF:
        file.seek(DENSITY_AT)
        file.write(struct.pack(">BHH", 0, 1, 1))


def read_photoshop(file: IO[bytes]) -> bytes:
    """Return Photoshop's resources; where they are too long for one segment, they go on in others that begin alike."""
    return b"".join(part.removeprefix(PHOTOSHOP) for part in contents(file, APP13) if part.startswith(PHOTOSHOP))


def read_quantisation(file: IO[bytes], table: int) -> tuple[int, ...] | None:
    """Return the steps of a table of quantisation, 0 to 3, as they are stored; None where there is none."""
    for content in contents(file, DQT):
        while content:
            size = 2 if content[0] >> 4 else 1
            stored, number = content[1 : 1 + TABLE_STEPS * size], content[0] & 0x0F
            if number == table and len(stored) == TABLE_STEPS * size:
                return struct.unpack(f">{TABLE_STEPS}{'H' if size == 2 else 'B'}", stored)
            content = content[1 + TABLE_STEPS * size :]
    return None


def has_jumbf(file: IO[bytes]) -> bool:
    """Tell whether there are boxes of JUMBF, in which content credentials lie (ISO/IEC 19566-5)."""
    return any(content[:2] == b"JP" and content[12:16] == b"jumb" for content in contents(file, APP11))


def read_comments(file: IO[bytes]) -> list[Text]:
    """Return the comments that stand before the samples."""
    comments = [decode_comment(content.rstrip(b"\0")) for content in contents(file, COM)]
    return [Text(COMMENT, comment) for comment in comments if comment]


def fits_jpeg(text: Text) -> bool:
    """Tell whether JPEG has a place for `text`."""
    return text.keyword == COMMENT and len(text.words.encode()) <= LARGEST_SEGMENT


def insert_blocks(file: IO[bytes], exif: bytes | None, xmp: bytes | None) -> None:
    """Put EXIF, and XMP that fits, into a finished JPEG, where all programs look for them.

    EXIF that is too long for one segment goes on in others, as `read_exif` takes it.
    """
    part = LARGEST_SEGMENT - len(PREFIX)
    blocks = [PREFIX + exif[at : at + part] for at in range(0, len(exif), part)] if exif else []
    if xmp and len(xmp) <= LARGEST_XMP:
        blocks.append(XMP_NAMESPACE + xmp)
    insert_segments(file, APP1, blocks, behind=(APP0,))


def insert_comments(file: IO[bytes], comments: Sequence[Text]) -> None:
    """Put texts that JPEG has a place for into a finished file, behind the segments of applications."""
    insert_segments(file, COM, [comment.words.encode() for comment in comments], behind=APP)


def insert_segments(file: IO[bytes], marker: bytes, blocks: Sequence[bytes], *, behind: Container[bytes]) -> None:
    """Put segments into a finished JPEG, behind those at its beginning that have certain markers."""
    if not blocks:
        return
    at = 2
    for segment in walk_segments(file):
        if segment.kind not in behind:
            break
        at = segment.end
    insert(file, at, b"".join(b"\xff" + marker + struct.pack(">H", len(block) + 2) + block for block in blocks))


def _last_of_filling(file: IO[bytes], at: int) -> int:
    """Return the position of the last of the bytes of filling from `at` on, with which a marker begins."""
    file.seek(at)
    while block := file.read(READ_BYTES):
        behind = block.lstrip(FILLING)
        at += len(block) - len(behind)
        if behind:
            break
    return at - 1
