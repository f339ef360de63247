"""What a file tells of the detail that its compression gave up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from restore_cli.picture.metadata.jpeg_segments import read_quantisation

LUMINANCE_TABLE_SUM = 3688
"""Sum of the quantisation steps for luminance that ITU-T T.81 gives as an example, table K.1: libjpeg's quality 50."""
LUMINANCE = 0
"""The table of quantisation that all known programs give to luminance."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How a file gave up detail."""

    kind: str
    """What users call it."""
    quality: int | None = None
    """1 to 100 on libjpeg's scale; None where the file does not tell."""

    def __str__(self) -> str:
        return self.kind if self.quality is None else f"{self.kind} of quality {self.quality}"


def compression_of(file: IO[bytes], format: str) -> Compression | None:
    """Return how a JPEG, WebP or AVIF file gave up detail; None where it did not, or nothing is known of it."""
    match format:
        case "jpeg":
            quality = _jpeg_quality(file)
            return None if quality is None else Compression("JPEG", quality)
        case "webp":
            return Compression("lossy WebP") if _is_lossy_webp(file) else None
        case "avif":  # which is lossless on request alone
            return Compression("AVIF")
        case _:
            return None


def _jpeg_quality(file: IO[bytes]) -> int | None:
    """Return the quality whose quantisation steps for luminance are on average those of a JPEG; None if it is damaged.

    libjpeg makes the steps of a quality from those of 50 by a factor. Those of other programs need not be a multiple of
    the same ones, but as large ones take away as much.
    """
    steps = read_quantisation(file, LUMINANCE)
    if steps is None:
        return None
    if max(steps) == 1:  # the finest there are, which are coarser than those of 100 would be
        return 100
    factor = sum(steps) / LUMINANCE_TABLE_SUM
    return max(1, round(100 - 50 * factor if factor <= 1 else 50 / factor))


def _is_lossy_webp(file: IO[bytes]) -> bool:
    """Tell whether the first frame of a WebP file is lossy: what comes first, VP8 or VP8L, among RIFF's chunks."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8 "
        if kind == b"ANMF":  # a frame: its chunks follow 16 bytes about it
            length = 16
        file.seek(length + length % 2, 1)
    return False
