"""Descriptive, EXIF, GPS and IPTC tags of a TIFF, which libvips neither reads nor writes whole."""

from __future__ import annotations

from typing import IO, NamedTuple

from restore_cli.picture.metadata.density import Density
from restore_cli.picture.metadata.directory import Directory, mapped, read_first_directory
from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.exif import EXIF
from restore_cli.picture.metadata.exif_resolution import density_in
from restore_cli.picture.metadata.iptc import records_of
from restore_cli.picture.metadata.layout import UNDEFINED, Layout, Value
from restore_cli.picture.metadata.tiff_samples import PHOTOMETRIC, YCBCR

GPS, INTEROPERABILITY = 0x8825, 0xA005
"""Tags that point to directories of their own, the second among EXIF tags."""
DESCRIPTIVE = frozenset(
    {
        *(0x000B, 0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0129, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749),
        *(0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0xC4A5, 0xC614, 0xC62F),
    }
)
"""Tags of a first directory that describe the picture and not how its samples are stored: description, camera, page,
software, date, artist, computer, rating, copyright, the titles and keywords of Windows, print matching, serial number.
"""
IPTC, PHOTOSHOP = 0x83BB, 0x8649
OTHERS = {
    "GeoTIFF tags, which place it on a map,": (0x830E, 0x8482, 0x85D8, 0x87AF),
    "GDAL tags": (0xA480, 0xA481),
    "Photoshop layers or other data of its document": (0x935C,),
    "ImageJ tags": (0xC696, 0xC697),
}
"""Tags of others, which speak of the picture as it was."""
RGB, PALETTE = 2, 3
"""Photometric interpretations."""
CHROMATICITIES_OF_SRGB = {
    "WhitePoint": (0x013E, (0.3127, 0.329)),
    "PrimaryChromaticities": (0x013F, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)),
}
"""Tags and their values, x and y of each colour."""
CHROMATICITY_TOLERANCE = 0.005


class TiffTags(NamedTuple):
    """What the tags of a TIFF's first image say of the picture."""

    exif: bytes | None
    """A block of the descriptive tags."""
    iptc: bytes | None
    resources: bytes
    """Photoshop's resources."""
    density: Density
    left_out: tuple[str, ...]
    """Names of what there is besides, as OTHERS has them."""
    other_colours: str | None
    """The tag by which colours are others than those of sRGB."""


def read_tags(file: IO[bytes]) -> TiffTags:
    """Read the tags of a TIFF's first image.

    Raises:
        ValueError: its directory is damaged.
    """
    with mapped(file) as content:
        first = read_first_directory(content)
        resources = first.data(PHOTOSHOP)
        return TiffTags(
            exif=_exif_of(first),
            iptc=records_of(first.data(IPTC)) or records_of(resources),
            resources=resources,
            density=density_in(first),
            left_out=tuple(name for name, tags in OTHERS.items() if not first.entries.keys().isdisjoint(tags)),
            other_colours=_other_than_srgb(first),
        )


def append_tags(file: IO[bytes], exif: bytes | None, iptc: bytes | None) -> None:
    """Give the first image of a TIFF the descriptive tags of an upright EXIF block, and IPTC records.

    A new first directory is put at the end of the file and linked from the header; nothing else is touched. Offsets
    inside a maker note that count from the start of the EXIF block lose their meaning, as in every TIFF.
    """
    if exif is None and iptc is None:
        return
    with mapped(file) as content:
        first, end = read_first_directory(content), len(content)
        values = first.values(first.layout)
    writer = DirectoryWriter(first.layout, end + end % 2)
    if exif is not None:
        values |= _described_values(read_first_directory(exif), writer)
    if iptc is not None:
        values[IPTC] = Value(UNDEFINED, iptc)
    header = first.layout.header(writer.add(values, first.next))
    file.seek(end)
    file.write(bytes(end % 2) + writer.content)
    file.seek(0)
    file.write(header)


def _exif_of(first: Directory) -> bytes | None:
    """Gather the descriptive tags of a first directory into a block of their own; None if there are none."""
    writer = DirectoryWriter(Layout(first.layout.order))
    values = _described_values(first, writer)
    return writer.with_header(writer.add(values)) if values else None


def _other_than_srgb(first: Directory) -> str | None:
    """Return the name of the tag that says of colours what is not true of sRGB."""
    if first.integer(PHOTOMETRIC) not in (RGB, PALETTE, YCBCR):
        return None
    for name, (tag, usual) in CHROMATICITIES_OF_SRGB.items():
        said = first.rationals(tag, len(usual))
        if said:
            differences = (abs(number - one) for number, one in zip(said, usual, strict=True))
            if max(differences) > CHROMATICITY_TOLERANCE:
                return name
    return None


def _described_values(first: Directory, writer: DirectoryWriter) -> dict[int, Value]:
    """Return the descriptive values of a first directory, its EXIF and GPS tags added to `writer` already."""
    described = first.values(writer.layout, DESCRIPTIVE)
    for tag in (EXIF, GPS):
        group = first.below(tag)
        if group is None:
            continue
        values = group.values(writer.layout)
        inner = group.below(INTEROPERABILITY) if tag == EXIF else None
        values.pop(INTEROPERABILITY, None)
        if inner is not None:
            values[INTEROPERABILITY] = writer.add_below(inner.values(writer.layout))
        described[tag] = writer.add_below(values)
    return described
