"""Kinds of files that hold pictures, and that this program does not read: known by their first bytes, to say so."""

from __future__ import annotations

SIGNATURES = (
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


def unsupported_kind(head: bytes) -> str | None:
    """Return what users call the kind of file that begins with `head`, 16 bytes; None if it is not known."""
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)
