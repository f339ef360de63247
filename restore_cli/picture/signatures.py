"""Which kind of file it is, by its first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from restore_cli.picture.metadata.layout import LAYOUTS

HEAD_BYTES = 64
"""Bytes that tell."""
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"mif1", b"msf1")
"""Of AVIF and HEIC files alike; which of the two it is, the brands behind tell."""
SEQUENCE_BRANDS = (b"avis", b"msf1", b"hevc", b"hevx")
READ_BY_VIPS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    *((magic, "tiff") for magic in LAYOUTS),
)
UNSUPPORTED = (
    (b"8BPS", "a document of Photoshop"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"<svg", "a drawing (SVG)"),
    (b"<?xml", "a drawing (SVG) or another XML file"),
    (b"P7\n", "PAM"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"gimp xcf", "a picture of GIMP"),
)
"""Files that hold pictures, and that this program does not read."""


def recognise(head: bytes) -> str | None:
    """Return the name of the format, HEIC or of those that libvips reads, to which a file's first bytes belong."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        brand, others = head[8:12], head[16 : int.from_bytes(head[:4])]
        if brand in AVIF_BRANDS or (brand in HEIF_BRANDS and any(avif in others for avif in AVIF_BRANDS)):
            return "avif"
        if brand in (*HEIC_BRANDS, *HEIF_BRANDS):
            return "heic"
    return next((name for signature, name in READ_BY_VIPS if head.startswith(signature)), None)


def recognise_file(path: Path) -> str | None:
    """Do what `recognise` does for a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return recognise(file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return None


def is_image_sequence(file: IO[bytes]) -> bool:
    """Tell whether an AVIF or HEIC file is first of all a sequence of pictures."""
    file.seek(8)
    return file.read(4) in SEQUENCE_BRANDS


def is_heic(file: IO[bytes]) -> bool:
    """Tell whether a file calls itself HEIC, whose compression only some builds of libvips decode."""
    file.seek(0)
    return recognise(file.read(HEAD_BYTES)) == "heic"


def unsupported_kind(head: bytes) -> str | None:
    """Return what users call the kind of file that begins with `head`, if it is known and not read."""
    return next((name for signature, name in UNSUPPORTED if head.startswith(signature)), None)
