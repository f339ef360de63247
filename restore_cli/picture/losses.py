"""What of a picture a file format cannot hold, in words for the user."""

from __future__ import annotations

from collections.abc import Sequence

from restore_cli.picture.colour import is_srgb
from restore_cli.picture.encoding import profile_to_write, stored_depth
from restore_cli.picture.formats import Format, format_by_name
from restore_cli.picture.metadata.jpeg_segments import LARGEST_XMP, fits_jpeg
from restore_cli.picture.metadata.texts import Text
from restore_cli.picture.picture import Picture

LARGEST_IPTC = 65_500
"""Bytes above which libvips leaves them out of JPEG, which holds them in one segment."""
HOLD_IPTC = ("jpeg", "png", "tiff")
NAMED_TEXTS = 3
"""Texts that are named, at the most."""


def losses(picture: Picture, format: Format, *, opaque: bool = False, strip_metadata: bool = False) -> tuple[str, ...]:
    """Say what is lost when `picture` is written as `format`, apart from what `strip_metadata` asks for.

    `opaque` says that no pixel of it is transparent, although there is an alpha.
    """
    name, metadata, lost = format.name.upper(), picture.metadata, []
    depth, has_transparency = stored_depth(picture, format), picture.alpha is not None and not opaque
    if depth != picture.depth:
        lost.append(f"{name} is written with {depth} bits a sample, not {picture.depth}")
    if has_transparency and not format.alpha:
        lost.append(f"{name} holds no transparency, so the picture lies on white")
    source = format_by_name(picture.format)
    if picture.depth > format.deepest and (source is None or source.deepest > format.deepest):
        lost.append(f"{name} holds {format.deepest} bits a sample, not {picture.depth}")
    if format.name == "gif":
        if picture.pixels.shape[2] > 1:
            lost.append("GIF holds 256 colours, so the picture is reduced to so many")
        if has_transparency:
            lost.append("GIF holds no half-transparent pixels, so each becomes opaque or vanishes")
    if metadata.icc and profile_to_write(picture, format) is None and not is_srgb(metadata.icc):
        lost.append(f"{name} holds no such colour profile, so colours are written as sRGB")
    blocks = [] if strip_metadata else _lost_blocks(picture, format)
    if blocks:
        lost.append(f"{name} is written without the picture's {', '.join(blocks)}")
    return tuple(lost)


def _lost_blocks(picture: Picture, format: Format) -> list[str]:
    """Name the blocks of metadata that `vips_saving.encode` leaves out, or all of them where the format holds none."""
    exif, xmp, iptc = (
        len(block or b"") for block in (picture.metadata.exif, picture.metadata.xmp, picture.metadata.iptc)
    )
    jpeg = format.name == "jpeg"
    lost = {
        "EXIF": exif > 0 and not format.metadata,
        "XMP": xmp > 0 and (not format.metadata or (xmp > LARGEST_XMP and jpeg)),
        "IPTC": iptc > 0 and (format.name not in HOLD_IPTC or (iptc > LARGEST_IPTC and jpeg)),
        "resolution": picture.metadata.pixels_per_mm is not None and not format.resolution,
    }
    return [name for name, is_lost in lost.items() if is_lost] + _lost_texts(picture.metadata.texts, format)


def _lost_texts(texts: Sequence[Text], format: Format) -> list[str]:
    """Name the texts that `vips_saving.encode` leaves out, a few by their keywords."""
    if format.name == "png":
        return []
    keywords = [text.keyword for text in texts if not (format.name == "jpeg" and fits_jpeg(text))]
    if len(keywords) > NAMED_TEXTS:
        keywords[NAMED_TEXTS:] = ["..."]
    return [f"text ({', '.join(keywords)})"] if keywords else []
