"""Metadata in the chunks of PNG (PNG third edition, section 5).

libvips looks no further than the first samples, and writes XMP as Latin-1; the XMP specification wants UTF-8.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from restore_cli.picture.metadata import png_text, raw_profiles
from restore_cli.picture.metadata.density import Density, density
from restore_cli.picture.metadata.inserting import insert
from restore_cli.picture.metadata.part import Part
from restore_cli.picture.metadata.texts import Text, texts_to_keep

SIGNATURE_BYTES, HEADER_BYTES = 8, 25
"""What every PNG begins with: its signature, and the chunk IHDR."""
CHECKSUM_BYTES = 4
"""What every chunk ends with."""
EXIF, ICC = b"eXIf", b"iCCP"
XMP_KEYWORD = "XML:com.adobe.xmp"
ANIMATION = b"acTL"
CREDENTIALS = b"caBX"
PIXEL_SIZE, PIXEL_SIZE_BYTES, METRE = b"pHYs", 9, b"\1"
"""The chunk of pixels per unit across and down, its length, and the unit in its last byte; any other is unknown."""
CICP, SRGB, GAMMA, CHROMATICITIES = b"cICP", b"sRGB", b"gAMA", b"cHRM"
PLACES = (b"grAb", b"oFFs", b"npTc")
"""Chunks that tell of places in pixels: of Doom, of the standard's extensions, and of a nine-patch of Android."""
HEADS, HEAD_BYTES = (ANIMATION, CREDENTIALS, PIXEL_SIZE, ICC, CICP, SRGB, GAMMA, CHROMATICITIES, *PLACES), 64
"""Chunks of which no more is read than so many bytes, with which they begin."""
CICP_OF_SRGB = bytes((1, 13))
"""Primaries and transfer (ITU-T H.273)."""
USUAL: dict[bytes, tuple[tuple[int, ...], int]] = {
    GAMMA: ((45_455,), 1_000),
    CHROMATICITIES: ((31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000), 500),
}
"""What is said of sRGB, in hundred thousandths, and by how much it may be off."""
LARGEST_CHUNK = 1 << 28
"""Bytes; more is not read."""
LARGEST_TEXTS = 1 << 26
"""Bytes of all texts, unpacked; no more are kept, and what is unpacked of damaged ones counts as well."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """What the chunks of a PNG hold besides samples."""

    exif: bytes | None
    xmp: bytes | None
    iptc: bytes | None
    texts: tuple[Text, ...]
    lost_texts: bool
    """Whether others are damaged, or too long."""
    has_profile: bool
    """Whether there is an ICC profile, however damaged."""
    other_colours: str | None
    """The chunk by which colours are others than those of sRGB, where there is no profile."""
    coded_colours: tuple[int, int] | None
    """Primaries and transfer (ITU-T H.273), where such a chunk holds and there is no profile."""
    frames: int
    """Frames of an animation; 1 where it is none."""
    density: Density
    has_credentials: bool
    """Whether there are content credentials."""
    places: tuple[str, ...]
    """Names of chunks that tell of places in pixels."""


def read_chunks(file: IO[bytes]) -> Chunks:
    """Read the chunks of a PNG, also those behind its samples; of those that it may have once, the first counts."""
    exif, texts, heads = b"", _Texts(LARGEST_TEXTS), dict[bytes, bytes]()
    for chunk in walk_chunks(file):
        if chunk.kind in HEADS:
            heads.setdefault(chunk.kind, chunk.read(HEAD_BYTES))
        elif chunk.kind == EXIF and chunk.length <= LARGEST_CHUNK:
            exif = exif or chunk.read()
        elif chunk.kind in png_text.KINDS:
            texts.add(chunk)
    raw = raw_profiles.read_profiles(texts.profiles)
    has_profile, coded = ICC in heads, heads.get(CICP, b"")[:2]
    return Chunks(
        exif=exif or raw.exif,
        xmp=texts.xmp or raw.xmp,
        iptc=raw.iptc,
        texts=texts_to_keep(texts.words),
        lost_texts=texts.are_lost or raw.damaged,
        has_profile=has_profile,
        other_colours=None if has_profile else _other_than_srgb(heads),
        coded_colours=(coded[0], coded[1]) if len(coded) == 2 and not has_profile else None,
        frames=int.from_bytes(heads[ANIMATION][:4], "big") if ANIMATION in heads else 1,
        density=_density_in(heads.get(PIXEL_SIZE, b"")),
        has_credentials=CREDENTIALS in heads,
        places=tuple(kind.decode() for kind in PLACES if kind in heads),
    )


def walk_chunks(file: IO[bytes]) -> Iterator[Part]:
    """Yield each chunk."""
    at = SIGNATURE_BYTES
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        chunk = Part(file, kind, at + 8, length)
        yield chunk
        at = chunk.end + CHECKSUM_BYTES


def insert_chunks(
    file: IO[bytes], exif: bytes | None, xmp: bytes | None, iptc: bytes | None = None, texts: Sequence[Text] = ()
) -> None:
    """Put metadata into a finished PNG, before its samples, where all programs look for it."""
    chunks = _chunk(EXIF, exif) if exif else b""
    if xmp:
        chunks += _chunk(png_text.INTERNATIONAL, png_text.international_text(XMP_KEYWORD, xmp))
    if iptc:
        chunks += _chunk(png_text.PACKED, png_text.packed_text(*raw_profiles.iptc_profile(iptc)))
    chunks += b"".join(_chunk(*png_text.pack_text(text)) for text in texts)
    if chunks:
        insert(file, SIGNATURE_BYTES + HEADER_BYTES, chunks)


class _Texts:
    """The texts of a PNG: XMP, blocks that ImageMagick writes as texts, and words."""

    def __init__(self, room: int) -> None:
        """`room` is how many bytes they may have together, unpacked."""
        self.xmp: bytes | None = None
        self.profiles: list[tuple[str, bytes]] = []
        self.words: list[Text] = []
        self.are_lost = False
        """Whether some are damaged, or too long."""
        self._room = room

    def add(self, chunk: Part) -> None:
        """Take the next one."""
        unpacked = None
        if chunk.length <= LARGEST_CHUNK:
            unpacked, taken = png_text.unpack_text(chunk.kind, chunk.read(), self._room)
            self._room = max(self._room - taken, 0)
        if unpacked is None:
            self.are_lost = True
            return
        keyword, text, *about = unpacked
        if keyword == XMP_KEYWORD:
            self.xmp = self.xmp or text
        elif keyword.startswith(raw_profiles.KEYWORD):
            self.profiles.append((keyword, text))
        else:
            self.words.append(Text(keyword, png_text.words_of(chunk.kind, text), *about))


def _density_in(pixel_size: bytes) -> Density:
    if len(pixel_size) < PIXEL_SIZE_BYTES:
        return Density()
    across, down = struct.unpack_from(">II", pixel_size)
    return density(across, down, 1000.0 if pixel_size[8:9] == METRE else None)


def _other_than_srgb(colours: dict[bytes, bytes]) -> str | None:
    """Return the name of the chunk that says of colours what is not true of sRGB; the first that counts decides."""
    if CICP in colours:
        return None if colours[CICP][:2] == CICP_OF_SRGB else "cICP"
    if SRGB in colours:
        return None
    for kind, (usual, tolerance) in USUAL.items():
        said = colours.get(kind)
        if said is not None and len(said) == 4 * len(usual):
            numbers = struct.unpack(f">{len(usual)}I", said)
            if any(abs(number - one) > tolerance for number, one in zip(numbers, usual, strict=True)):
                return kind.decode()
    return None


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
