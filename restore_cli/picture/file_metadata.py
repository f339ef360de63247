"""What a file says besides its samples: gathered, and made true for an upright picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import IO, Any

from restore_cli.picture import vips
from restore_cli.picture.metadata import gif_blocks, jpeg2000
from restore_cli.picture.metadata.avif_colours import is_like_srgb, read_colours
from restore_cli.picture.metadata.density import Density
from restore_cli.picture.metadata.exif import orientation_of, upright_exif
from restore_cli.picture.metadata.exif_resolution import resolution_of
from restore_cli.picture.metadata.heif_turn import read_turn
from restore_cli.picture.metadata.iptc import other_resources, records_of
from restore_cli.picture.metadata.jpeg_segments import has_jumbf, read_comments, read_density, read_exif, read_photoshop
from restore_cli.picture.metadata.multi_picture import count_views
from restore_cli.picture.metadata.png_chunks import Chunks, read_chunks
from restore_cli.picture.metadata.texts import texts_to_keep
from restore_cli.picture.metadata.tiff_tags import read_tags
from restore_cli.picture.metadata.xmp import upright_xmp
from restore_cli.picture.orientation import turn_axes
from restore_cli.picture.picture import Metadata

UNFIT_PROFILE = "its colour profile is damaged or does not fit, so it is left out"
DISPLAY_P3 = (12, 13)
"""Primaries and transfer (ITU-T H.273) of phones' screens and cameras."""
TAKEN_FOR_SRGB = "its colours are taken for sRGB, though its {} says otherwise"
LOST_TEXTS = "some of its texts are damaged, or too long, and left out"
LEFT_CREDENTIALS = "its content credentials (C2PA, JUMBF) are left out"
LEFT_RESOURCES = "its Photoshop resources ({}) are left out"
LEFT_TAGS = "its {} are left out"
LEFT_PLACES = {
    "grAb": "its offset (grAb) is left out",
    "oFFs": "its offset (oFFs) is left out",
    "npTc": "its parts that stretch (npTc, a nine-patch) are left out",
}
LEFT_SHAPE = "the shape of its pixels, which are not square, is left out"
DAMAGED_EXIF = "its EXIF data is damaged and left out"
LEFT_OUT = (
    (
        re.compile(rb"urn:iso:std:iso:ts:21496|hdrgm:Version|http://ns\.apple\.com/HDRGainMap"),
        "its gain map for HDR screens is left out",
    ),
    (re.compile(rb"Camera:(?:MotionPhoto|MicroVideo)\s*(?:=\s*[\"']|>\s*)1"), "the video behind it is left out"),
    (re.compile(rb"http://ns\.adobe\.com/xmp/extension/\0"), "its extended XMP is left out"),
)
"""What a JPEG says before its samples when there is something else in it that is not copied, and what to say of it."""
SEARCHED_BYTES = 1 << 18
"""Bytes at the start of a JPEG that are searched for what else it holds."""


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What a file says besides its samples."""

    metadata: Metadata
    """What of it stays with the picture; speaks, once it is gathered, of an upright one without a thumbnail."""
    orientation: int
    """EXIF orientation, 1 to 8, by which the samples must still be turned."""
    pages: int
    """Pages or frames of the file."""
    notes: tuple[str, ...]
    """What is left out, since it is damaged or has no place in a picture."""
    turned: int = 1
    """EXIF orientation by which the decoder turns them."""


def gather_metadata(image: Any, file: IO[bytes], format: str) -> FileMetadata:
    """Gather what `file` says that libvips reads: from its `pyvips.Image`, and where that lacks it, from the file."""
    said = _of_libvips(image)
    match format:
        case "png":
            said = _with_chunks(said, read_chunks(file))
        case "jpeg":
            said = _with_segments(said, file)
        case "tiff":
            said = _with_tags(said, file)
        case "gif":
            comments, xmp, icc = gif_blocks.read_blocks(file)
            said = replace(said, metadata=replace(said.metadata, icc=icc, xmp=xmp, texts=texts_to_keep(comments)))
        case "avif" | "heic":
            said = _with_header(replace(said, turned=read_turn(file)), read_colours(file))
    return _made_upright(said, (image.width, image.height), turned_by_exif=format in ("jpeg", "png"))


def gather_heic_metadata(
    metadata: Metadata, file: IO[bytes], colours: tuple[int, int] | None, size: tuple[int, int]
) -> FileMetadata:
    """Gather what pillow-heif says of a picture of an upright width and height: its blocks, primaries and transfer."""
    said = FileMetadata(metadata, orientation=1, pages=1, notes=(), turned=read_turn(file))
    said = _with_header(said, colours)
    return _made_upright(said, size, turned_by_exif=False)


def gather_jpeg2000_metadata(metadata: Metadata, file: IO[bytes], size: tuple[int, int]) -> FileMetadata:
    """Add to what Pillow says of a picture of a width and height; readers turn no JPEG 2000 by its EXIF."""
    blocks = jpeg2000.read_blocks(file)
    xmp, iptc, exif = blocks.get(jpeg2000.XMP), blocks.get(jpeg2000.IPTC), blocks.get(jpeg2000.EXIF)
    metadata = replace(metadata, exif=exif, xmp=xmp, iptc=iptc and records_of(iptc))
    return _made_upright(FileMetadata(metadata, orientation=1, pages=1, notes=()), size, turned_by_exif=False)


def _of_libvips(image: Any) -> FileMetadata:
    """Return what libvips tells; its blocks are as they are stored."""
    return FileMetadata(vips.metadata_of(image), vips.orientation_of(image), vips.pages_of(image), notes=())


def _with_chunks(said: FileMetadata, chunks: Chunks) -> FileMetadata:
    """Add what a PNG says."""
    notes = {
        LEFT_CREDENTIALS: chunks.has_credentials,
        LOST_TEXTS: chunks.lost_texts,
        UNFIT_PROFILE: chunks.has_profile and said.metadata.icc is None,  # libpng checks it and keeps it to itself
    }
    metadata = replace(
        said.metadata,
        exif=chunks.exif,
        xmp=chunks.xmp,
        iptc=chunks.iptc,
        texts=chunks.texts,
    )
    said = _with_density(replace(said, metadata=metadata, pages=chunks.frames), chunks.density)
    said = _noting(said, *(note for note, is_true in notes.items() if is_true))
    said = _noting(said, *(LEFT_PLACES[name] for name in chunks.places))
    return _with_colours(said, chunks.coded_colours, chunks.other_colours and f"chunk {chunks.other_colours}")


def _with_segments(said: FileMetadata, file: IO[bytes]) -> FileMetadata:
    """Add what a JPEG says."""
    exif, resources = read_exif(file), read_photoshop(file)
    metadata = replace(said.metadata, exif=exif, iptc=records_of(resources), texts=texts_to_keep(read_comments(file)))
    said = _noting_resources(replace(said, metadata=metadata, pages=count_views(file)), resources)
    if exif is None or not _states_resolution(exif):  # which counts more, as elsewhere
        said = _with_density(said, read_density(file))
    said = _noting(said, LEFT_CREDENTIALS) if has_jumbf(file) else said
    file.seek(0)
    head = file.read(SEARCHED_BYTES)
    return _noting(said, *(note for sign, note in LEFT_OUT if sign.search(head)))


def _with_tags(said: FileMetadata, file: IO[bytes]) -> FileMetadata:
    """Add what a TIFF says."""
    try:
        tags = read_tags(file)
    except ValueError:
        return _noting(replace(said, metadata=replace(said.metadata, exif=None)), DAMAGED_EXIF)
    said = replace(said, metadata=replace(said.metadata, exif=tags.exif, iptc=tags.iptc))
    said = _with_density(_noting_resources(said, tags.resources), tags.density)
    said = _noting(said, *(LEFT_TAGS.format(name) for name in tags.left_out))
    has_other = tags.other_colours is not None and said.metadata.icc is None
    return _noting(said, TAKEN_FOR_SRGB.format(f"tag {tags.other_colours}")) if has_other else said


def _with_colours(said: FileMetadata, colours: tuple[int, int] | None, other: str | None) -> FileMetadata:
    """Take Display P3, where it is only named, for its profile, or note which part of a file names `other` colours."""
    if colours == DISPLAY_P3:
        return replace(said, metadata=replace(said.metadata, icc=vips.display_p3_profile()))
    return _noting(said, TAKEN_FOR_SRGB.format(other)) if other else said


def _with_header(said: FileMetadata, colours: tuple[int, int] | None) -> FileMetadata:
    """Do so for what the header of an AVIF or HEIC file names, which a profile outweighs."""
    if said.metadata.icc is not None or colours is None:
        return said
    return _with_colours(said, colours, None if is_like_srgb(colours) else "header")


def _with_density(said: FileMetadata, density: Density) -> FileMetadata:
    said = replace(said, metadata=replace(said.metadata, pixels_per_mm=density.pixels_per_mm))
    return _noting(said, LEFT_SHAPE) if density.is_oblong else said


def _states_resolution(exif: bytes) -> bool:
    try:
        return resolution_of(exif) is not None
    except ValueError:
        return False


def _noting_resources(said: FileMetadata, block: bytes) -> FileMetadata:
    """Note which of Photoshop's resources in `block` are left out."""
    resources = other_resources(block)
    return _noting(said, LEFT_RESOURCES.format(", ".join(resources))) if resources else said


def _noting(said: FileMetadata, *notes: str) -> FileMetadata:
    return replace(said, notes=said.notes + notes)


def _made_upright(said: FileMetadata, stored: tuple[int, int], *, turned_by_exif: bool) -> FileMetadata:
    """Let all blocks speak of an upright picture, of one whose width and height are `stored`.

    `turned_by_exif` says that the EXIF block counts more than what libvips takes for the orientation.
    """
    exif, orientation, density = said.metadata.exif, said.orientation, said.metadata.pixels_per_mm
    metadata = replace(said.metadata, exif=None)
    try:
        if exif and turned_by_exif:
            orientation = orientation_of(exif)
        if exif:
            turned = orientation if said.turned == 1 else said.turned
            metadata = _with_exif(metadata, exif, turned, turn_axes(stored, orientation))
    except ValueError:
        said = _noting(said, DAMAGED_EXIF)
    if metadata.xmp:
        turned = orientation if said.turned == 1 else said.turned
        metadata = replace(metadata, xmp=upright_xmp(metadata.xmp, turned))
    if density is not None:
        metadata = replace(metadata, pixels_per_mm=turn_axes(density, orientation))
    return replace(said, metadata=replace(metadata, size=turn_axes(stored, orientation)), orientation=orientation)


def _with_exif(metadata: Metadata, exif: bytes, orientation: int, size: tuple[int, int]) -> Metadata:
    """Return `metadata` with a block that speaks of an upright picture, and its resolution if no other is known.

    `orientation` is the one by which the picture is turned, `size` its own then.

    Raises:
        ValueError: the block is damaged.
    """
    exif = upright_exif(exif, size, orientation)
    return replace(metadata, exif=exif, pixels_per_mm=metadata.pixels_per_mm or resolution_of(exif))
