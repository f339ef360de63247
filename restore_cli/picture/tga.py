"""Read TGA of version 1 and 2 (Truevision TGA File Format Specification).

The files have no signature, and Pillow takes some for PCX. It reads neither runs that go on in the next row, which
version 1 allows, nor pixels of 15 bits, nor a palette that is there though the pixels are colours.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

import numpy as np

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.masked_pixels import Words, to_words, unmask
from restore_cli.picture.picture import Samples

HEADER, FOOTER = struct.Struct("<3B2HB4H2B"), struct.Struct("<2I18s")
SIGNATURE = b"TRUEVISION-XFILE.\0"
"""The end of the footer, and so of a file of version 2."""
PALETTE, COLOUR, GREY, PACKED = 1, 2, 3, 8
"""Kinds of pixels, and the bit that is set beside them where runs of equal ones are told by one."""
MASKS: dict[int, tuple[int, ...]] = {
    15: (0x7C00, 0x3E0, 0x1F),
    16: (0x7C00, 0x3E0, 0x1F, 0x8000),
    24: (0xFF0000, 0xFF00, 0xFF),
    32: (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
}
GREY_MASKS: dict[int, tuple[int, ...]] = {8: (0xFF,), 16: (0xFF, 0xFF00)}
"""Bits of a pixel, and masks of red, green, blue and alpha, or of grey and alpha."""
BITS = {PALETTE: (8, 16), COLOUR: tuple(MASKS), GREY: tuple(GREY_MASKS)}
ALPHA_BITS, FROM_RIGHT, FROM_TOP = 0xF, 0x10, 0x20
"""Bits of the descriptor: how many of a pixel are its alpha, and where the first pixel lies."""
ATTRIBUTES_AT = 494
"""Position in the extension of what the alpha is; 0 says that it is none."""
CUT = "it is cut"


@dataclass(frozen=True, slots=True)
class TgaHeader:
    """What a file says of its pixels."""

    kind: int
    is_packed: bool
    width: int
    height: int
    bits: int
    descriptor: int
    palette: tuple[int, int, int]
    """Number of its first colour, how many there are, and the bits of each; none are there where their number is 0."""
    offset: int
    """Where the palette begins; the pixels follow."""


def read_header(file: IO[bytes]) -> TgaHeader | None:
    """Read the header at the start of `file`; None if it is of another format, or of a kind that nobody writes."""
    file.seek(0)
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    id_bytes, has_palette, kind, *palette, _, _, width, height, bits, descriptor = HEADER.unpack(head)
    first, length, colour_bits = palette if has_palette else (0, 0, 0)
    is_packed, kind = bool(kind & PACKED), kind & ~PACKED
    fits = kind != PALETTE or (has_palette and colour_bits in MASKS)
    if has_palette > 1 or bits not in BITS.get(kind, ()) or not fits or not width * height:
        return None
    offset = HEADER.size + id_bytes
    return TgaHeader(kind, is_packed, width, height, bits, descriptor, (first, length, colour_bits), offset)


def decode(file: IO[bytes], header: TgaHeader) -> Samples:
    """Decode to h, w, 1 to 4 samples of 8 bits; alpha, where there is one, is the last.

    An alpha that shows nothing is none, unless the descriptor tells of 8 bits of it.

    Raises:
        UnreadablePictureError: the file is cut.
    """
    file.seek(header.offset)
    first, length, colour_bits = header.palette
    palette = file.read(length * _bytes_of(colour_bits))
    content, count = file.read(), header.width * header.height
    pixels = _unpacked(content, _bytes_of(header.bits), count) if header.is_packed else content
    words = _words(pixels, count, header.bits).reshape(header.height, header.width)
    if header.kind == GREY:
        samples = unmask(words, GREY_MASKS[header.bits])
    elif header.kind == COLOUR:
        samples = _coloured(words, header.bits)
    else:
        colours = _coloured(_words(palette, length, colour_bits), colour_bits)
        samples = np.pad(colours, ((first, 1 << header.bits), (0, 0)))[words]
    if samples.shape[2] in (2, 4) and not _has_alpha(samples, header, file):
        samples = samples[..., :-1]
    down, across = 1 if header.descriptor & FROM_TOP else -1, -1 if header.descriptor & FROM_RIGHT else 1
    return np.ascontiguousarray(samples[::down, ::across])


def _coloured(words: Words, bits: int) -> Samples:
    samples = unmask(words, MASKS[bits])
    if bits == 16:
        samples[..., 3] = ~samples[..., 3]  # a bit that is set hides what lies below, as other programs have it, too
    return samples


def _has_alpha(samples: Samples, header: TgaHeader, file: IO[bytes]) -> bool:
    """Tell whether the last samples are an alpha; `file` is read to its end."""
    if not samples[..., -1].any() and (header.descriptor & ALPHA_BITS) < 8:
        return False
    file.seek(max(0, file.tell() - FOOTER.size))
    footer = file.read()
    extension, _, signature = FOOTER.unpack(footer) if len(footer) == FOOTER.size else (0, 0, b"")
    if signature != SIGNATURE or not extension:
        return True
    file.seek(extension + ATTRIBUTES_AT)
    return file.read(1) != b"\0"


def _unpacked(content: bytes, size: int, count: int) -> bytearray:
    """Return `count` pixels of `size` bytes, or fewer where their packets end; a packet may cross rows."""
    pixels, at, wanted = bytearray(), 0, count * size
    while len(pixels) < wanted and at < len(content):
        head, at = content[at], at + 1
        repeated, length = ((head & 0x7F) + 1, size) if head & 0x80 else (1, ((head & 0x7F) + 1) * size)
        if at + length > len(content):
            break
        pixels += content[at : at + length] * repeated
        at += length
    return pixels


def _words(content: bytes | bytearray, count: int, bits: int) -> Words:
    size = _bytes_of(bits)
    if len(content) < count * size:
        raise UnreadablePictureError(CUT)
    return to_words(np.frombuffer(content, np.uint8, count * size), size)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8
