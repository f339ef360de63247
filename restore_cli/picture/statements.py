"""What a file says besides its samples: gathered, and made true for an upright picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import IO, Any

from restore_cli.picture import vips
from restore_cli.picture.metadata import gif_blocks, jpeg2000
from restore_cli.picture.metadata.avif_colours import is_like_srgb, read_colours
from restore_cli.picture.metadata.exif import orientation_of, upright_exif
from restore_cli.picture.metadata.exif_geometry import TRANSPOSED
from restore_cli.picture.metadata.exif_resolution import resolution_of
from restore_cli.picture.metadata.iptc import other_resources, records_of
from restore_cli.picture.metadata.jpeg_comments import read_comments
from restore_cli.picture.metadata.jpeg_segments import has_jumbf, read_exif
from restore_cli.picture.metadata.multi_picture import count_views
from restore_cli.picture.metadata.png_chunks import read_chunks
from restore_cli.picture.metadata.texts import texts_to_keep
from restore_cli.picture.metadata.tiff_tags import read_tags
from restore_cli.picture.metadata.xmp import upright_xmp
from restore_cli.picture.picture import Metadata

UNFIT_PROFILE = ("its colour profile is damaged or does not fit, so it is left out",)
DISPLAY_P3 = (12, 13)
"""Primaries and transfer (ITU-T H.273) of phones' screens and cameras."""
TAKEN_FOR_SRGB = "its colours are taken for sRGB, though its {} says otherwise"
LOST_TEXTS = ("some of its texts are damaged, or too long, and left out",)
LEFT_CREDENTIALS = ("its content credentials (C2PA, JUMBF) are left out",)
LEFT_RESOURCES = "its Photoshop resources ({}) are left out"
LEFT_MAP = ("its GeoTIFF tags, which place it on a map, are left out",)
DAMAGED_EXIF = ("its EXIF data is damaged and left out",)


@dataclass(frozen=True, slots=True)
class Statements:
    """What a file says."""

    metadata: Metadata
    """Speaks of an upright picture without a thumbnail."""
    orientation: int
    """EXIF orientation, 1 to 8, by which the samples must still be turned."""
    pages: int
    """Pages or frames of the file."""
    notes: tuple[str, ...]
    """What is left out, since it is damaged or has no place in a picture."""


def gather_metadata(image: Any, file: IO[bytes], format: str) -> Statements:
    """Gather what `file` says that libvips reads: from its `pyvips.Image`, and where that lacks it, from the file."""
    metadata, orientation = vips.metadata_of(image), vips.orientation_of(image)
    exif, pages, notes = metadata.exif, vips.pages_of(image), tuple[str, ...]()
    notes += _note_resources(metadata.iptc or b"")
    metadata = replace(metadata, exif=None, iptc=metadata.iptc and records_of(metadata.iptc))
    if format == "png":
        chunks = read_chunks(file)
        pages = chunks.frames
        exif, metadata = chunks.exif, replace(metadata, xmp=chunks.xmp, iptc=chunks.iptc, texts=chunks.texts)
        resolution = (image.xres, image.yres) if chunks.states_resolution else None  # else it is a ratio of sides
        metadata = replace(metadata, pixels_per_mm=resolution)
        if chunks.has_credentials:
            notes += LEFT_CREDENTIALS
        if chunks.lost_texts:
            notes += LOST_TEXTS
        if chunks.has_profile and metadata.icc is None:
            notes += UNFIT_PROFILE  # libpng checks it and keeps it to itself
        if chunks.coded_colours == DISPLAY_P3:
            metadata = replace(metadata, icc=vips.display_p3_profile())
        elif chunks.other_colours:
            notes += (TAKEN_FOR_SRGB.format(f"chunk {chunks.other_colours}"),)
    elif format == "jpeg":
        exif = read_exif(file)
        notes += LEFT_CREDENTIALS if has_jumbf(file) else ()
        metadata = replace(metadata, texts=texts_to_keep(read_comments(file)))
        pages = count_views(file)
    elif format == "gif":
        comments, xmp = gif_blocks.read_blocks(file)
        metadata = replace(metadata, xmp=xmp, texts=texts_to_keep(comments))
    elif format == "avif" and metadata.icc is None and (colours := read_colours(file)):
        if colours == DISPLAY_P3:
            metadata = replace(metadata, icc=vips.display_p3_profile())
        elif not is_like_srgb(colours):
            notes += (TAKEN_FOR_SRGB.format("header"),)
    stored = metadata.pixels_per_mm
    try:
        if format == "tiff":
            tags = read_tags(file)
            exif, metadata = tags.exif, replace(metadata, iptc=tags.iptc)
            notes += LEFT_MAP if tags.is_on_a_map else ()
        if exif:
            orientation = orientation_of(exif) if format in ("jpeg", "png") else orientation
            metadata = _with_exif(metadata, exif, _upright_size(image, orientation))
    except ValueError:
        notes += DAMAGED_EXIF
    if stored is not None and orientation in TRANSPOSED:
        metadata = replace(metadata, pixels_per_mm=(stored[1], stored[0]))
    metadata = replace(metadata, xmp=metadata.xmp and upright_xmp(metadata.xmp), size=_upright_size(image, orientation))
    return Statements(metadata, orientation, pages, notes)


def gather_jpeg2000_metadata(metadata: Metadata, file: IO[bytes]) -> tuple[Metadata, tuple[str, ...]]:
    """Return `metadata` with what `file` says besides, and what was damaged; readers turn no JPEG 2000 by its EXIF."""
    blocks = jpeg2000.read_blocks(file)
    xmp, iptc, exif = blocks.get(jpeg2000.XMP), blocks.get(jpeg2000.IPTC), blocks.get(jpeg2000.EXIF)
    metadata = replace(metadata, xmp=xmp and upright_xmp(xmp), iptc=iptc and records_of(iptc))
    if exif is None:
        return metadata, ()
    try:
        return _with_exif(metadata, exif), ()
    except ValueError:
        return metadata, DAMAGED_EXIF


def _note_resources(block: bytes) -> tuple[str, ...]:
    names = other_resources(block)
    return (LEFT_RESOURCES.format(", ".join(names)),) if names else ()


def _upright_size(image: Any, orientation: int) -> tuple[int, int]:
    return (image.height, image.width) if orientation in TRANSPOSED else (image.width, image.height)


def _with_exif(metadata: Metadata, exif: bytes, size: tuple[int, int] | None = None) -> Metadata:
    """Return `metadata` with a block that speaks of an upright picture, and its resolution if no other is known.

    `size` is that of the picture where it is turned as its EXIF says.

    Raises:
        ValueError: the block is damaged.
    """
    exif = upright_exif(exif, size)
    return replace(metadata, exif=exif, pixels_per_mm=metadata.pixels_per_mm or resolution_of(exif))
