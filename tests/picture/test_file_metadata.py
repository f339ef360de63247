from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, TiffTags

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.metadata.iptc import PHOTOSHOP, photoshop_block
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

HOLDERS = ("jpeg", "png", "tiff", "webp", "avif")
ORIENTATION, X_DIMENSION, Y_DIMENSION, IPTC_TAG = 0x0112, 0xA002, 0xA003, 0x83BB

each_source = pytest.mark.parametrize("source", HOLDERS)
each_target = pytest.mark.parametrize("target", HOLDERS)


def xmp_of(content: bytes) -> bytes | None:
    with Image.open(io.BytesIO(content)) as image:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    return packet or None


def iptc_of(content: bytes) -> bytes | None:
    with Image.open(io.BytesIO(content)) as image:
        if image.format == "TIFF":
            return image.tag_v2.get(IPTC_TAG)  # type: ignore[attr-defined]
        return image.info.get("photoshop", {}).get(0x0404)


# EXIF


@each_source
@each_target
def test_every_exif_tag_arrives_unchanged(source: str, target: str, described: Any, tags_of: Any) -> None:
    content = described(source)
    picture = read_picture(content)
    assert picture.notes == ()
    before, after = tags_of(content), tags_of(encode_picture(picture, format_by_name(target)))
    own = {("", tag) for tag in (ORIENTATION, 0x011A, 0x011B, 0x0128)} if "tiff" in (source, target) else set()
    changed = {("", ORIENTATION): 1, ("camera", X_DIMENSION): 40, ("camera", Y_DIMENSION): 60}
    if source == "avif":
        before[("", ORIENTATION)] = 1  # Pillow stores the orientation elsewhere
    expected = before | changed
    assert {key: value for key, value in after.items() if key not in own} == {
        key: value for key, value in expected.items() if key not in own
    }
    assert len(before) > 23


@each_target
def test_dimensions_are_those_of_the_new_file(target: str, described: Any, tags_of: Any) -> None:
    picture = read_picture(described("jpeg"))
    larger = replace(picture, pixels=np.zeros((70, 90, 3), np.uint8))
    content = encode_picture(larger, format_by_name(target))
    tags = tags_of(content)
    assert (tags["camera", X_DIMENSION], tags["camera", Y_DIMENSION]) == (90, 70)
    packet = xmp_of(content)
    assert packet is not None
    assert b'exif:PixelXDimension="90"' in packet
    assert b'exif:PixelYDimension="70"' in packet


def test_dimensions_of_more_than_16_bits_are_stored_as_32(described: Any, tags_of: Any) -> None:
    picture = replace(read_picture(described("jpeg")), pixels=np.zeros((1, 70_000, 3), np.uint8))
    tags = tags_of(encode_picture(picture, format_by_name("png")))
    assert (tags["camera", X_DIMENSION], tags["camera", Y_DIMENSION]) == (70_000, 1)


@each_target
@pytest.mark.parametrize("last", [True, False])
def test_the_old_thumbnail_is_gone(
    target: str, last: bool, samples: np.ndarray, make_exif: Any, tags_of: Any, save: Any
) -> None:
    thumbnail = save(Image.fromarray(samples).resize((16, 12)), "JPEG")
    block = make_exif().tobytes().removeprefix(b"Exif\0\0")
    order = ">" if block[:2] == b"MM" else "<"
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    at = len(block)
    second = struct.pack(order + "HHHIIHHIII", 2, 0x0201, 4, 1, at + 30, 0x0202, 4, 1, len(thumbnail), 0)
    assert len(second) == 30
    linked = bytearray(block + second + thumbnail + (b"" if last else b"tail"))
    struct.pack_into(order + "I", linked, first + 2 + 12 * count, at)
    content = save(samples, "JPEG", exif=b"Exif\0\0" + bytes(linked))
    assert tags_of(content)["thumbnail", 0x0202] == len(thumbnail)
    written = encode_picture(read_picture(content), format_by_name(target))
    assert not any(group == "thumbnail" for group, _ in tags_of(written))
    assert thumbnail[20:200] not in written
    assert tags_of(written)["camera", 0x927C] == tags_of(content)["camera", 0x927C]
    assert (b"tail" in written) == (not last and target not in ("tiff",))


def test_the_maker_note_stays_at_its_place(described: Any) -> None:
    content = described("jpeg")
    block = read_picture(content).metadata.exif
    assert block is not None
    place = block.index(b"Maker note")
    assert content.index(b"Maker note") - content.index(b"Exif\0\0") - 6 == place
    for target in ("jpeg", "png", "webp", "avif"):
        written = encode_picture(read_picture(content), format_by_name(target))
        start = written.index(b"MM\0*") if b"MM\0*" in written else written.index(b"II*\0")
        assert written.index(b"Maker note") - start == place


def test_the_checksum_of_a_png_is_right(described: Any) -> None:
    written = encode_picture(read_picture(described("jpeg")), format_by_name("png"))
    with Image.open(io.BytesIO(written)) as image:
        image.verify()  # checks every chunk
    at = written.index(b"eXIf")
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(io.BytesIO(written[:at] + b"eXIg" + written[at + 4 :]))


@pytest.mark.parametrize("junk", [b"MM\0*\0\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\x00", b"junk" * 9])
@pytest.mark.parametrize("source", ["jpeg", "png", "webp"])
def test_damaged_exif_is_left_out_with_a_note(source: str, junk: bytes, samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, source.upper(), exif=b"Exif\0\0" + junk))
    assert picture.metadata.exif is None
    assert picture.notes == ("its EXIF data is damaged and left out",)
    assert read_picture(encode_picture(picture, format_by_name(source))).metadata.exif is None


@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("size", [26, 100, 1000, 65_000, 65_001, 65_002, 65_527, 65_528, 200_000])
def test_exif_of_any_size_is_kept(target: str, size: int, samples: np.ndarray, xmp: bytes) -> None:
    block = (b"II*\0\x08\0\0\0\0\0" + bytes(range(256)) * 800)[:size]
    picture = Picture(samples, metadata=Metadata(exif=block, xmp=xmp))
    content = encode_picture(picture, format_by_name(target))
    again = read_picture(content)
    assert losses(picture, format_by_name(target)) == again.notes == ()
    assert again.metadata.exif is not None
    assert again.metadata.exif[:size] == block
    assert not any(again.metadata.exif[size:])
    assert again.metadata.xmp is not None
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert image.info["exif"].removeprefix(b"Exif\0\0")[:size] == block


def test_exif_of_any_size_goes_into_a_tiff(samples: np.ndarray, described: Any, tags_of: Any) -> None:
    big = replace(read_picture(described("tiff")), pixels=samples)
    assert big.metadata.exif is not None
    large = big.metadata.exif + bytes(200_000)
    picture = replace(big, metadata=replace(big.metadata, exif=large))
    assert losses(picture, format_by_name("tiff")) == ()
    assert tags_of(encode_picture(picture, format_by_name("tiff"))) == tags_of(
        encode_picture(big, format_by_name("tiff"))
    )


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("target", HOLDERS)
def test_both_byte_orders_are_understood(
    order: str, target: str, samples: np.ndarray, make_exif: Any, save: Any, tags_of: Any
) -> None:
    block = make_exif(order="<" if order == "II" else ">").tobytes()
    assert block.startswith(b"Exif\0\0" + order.encode())
    content = save(samples, "JPEG", exif=block)
    before, after = tags_of(content), tags_of(encode_picture(read_picture(content), format_by_name(target)))
    assert after["place", 2] == before["place", 2] == (51.0, 30.0, 12.5)
    assert after["camera", 0x8827] == before["camera", 0x8827] == 400
    assert after["", 0x010F] == "Maker"


# XMP and IPTC


@pytest.mark.parametrize("source", ["jpeg", "tiff", "webp", "avif"])
@each_target
def test_xmp_arrives(source: str, target: str, described: Any, xmp: bytes) -> None:
    packet = xmp_of(encode_picture(read_picture(described(source)), format_by_name(target)))
    upright = xmp.replace(b'Orientation="6"', b'Orientation="1"')
    assert packet == upright.replace(b'XDimension="60"', b'XDimension="40"').replace(
        b'YDimension="40"', b'YDimension="60"'
    )


@pytest.mark.parametrize("source", ["jpeg", "tiff"])
@pytest.mark.parametrize("target", ["jpeg", "tiff"])
def test_iptc_arrives(source: str, target: str, described: Any, iptc: bytes) -> None:
    content = encode_picture(read_picture(described(source)), format_by_name(target))
    assert iptc_of(content) == iptc
    assert read_picture(content).metadata.iptc == iptc
    assert b"preview" not in content


@pytest.mark.parametrize("cut", [5, 20, 31])
def test_resources_that_span_segments_are_joined(cut: int, samples: np.ndarray, iptc: bytes, save: Any) -> None:
    plain, block = save(samples, "JPEG"), photoshop_block(iptc).removeprefix(PHOTOSHOP)
    parts = b"".join(segment(0xED, PHOTOSHOP + part) for part in (block[:cut], block[cut:]))
    picture = read_picture(plain[:2] + parts + segment(0xED, b"Adobe_CM\0" + bytes(20)) + plain[2:])
    assert picture.metadata.iptc == iptc


# What is left out


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


RESOURCES = b"8BIM\x04\x0a\0\0\0\0\0\1\1\0" + b"8BIM\x04\x0b\0\0\0\0\0\4http"
UNMARKED = b"8BIM\x04\x0a\0\0\0\0\0\1\0\0"
JUMBF = b"JP\0\1\0\0\0\1\0\0\0\x6cjumb" + bytes(100)
OTHER_COLOURS = "its colours are taken for sRGB, though its tag {} says otherwise"
CREDENTIALS = "its content credentials (C2PA, JUMBF) are left out"


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (segment(0xED, b"Photoshop 3.0\0" + RESOURCES), "its Photoshop resources (copyright flag, URL) are left out"),
        (segment(0xED, b"Photoshop 3.0\0" + UNMARKED), None),
        (segment(0xEB, JUMBF), CREDENTIALS),
        (segment(0xEB, b"HDR_RI ver=11"), None),
    ],
)
def test_what_a_jpeg_says_and_no_result_holds_is_told_of(
    said: bytes, note: str | None, samples: np.ndarray, save: Any
) -> None:
    plain = save(samples, "JPEG")
    assert read_picture(plain[:2] + said + plain[2:]).notes == ((note,) if note else ())


def test_content_credentials_of_a_png_are_told_of(samples: np.ndarray, save: Any) -> None:
    plain, content = save(samples, "PNG"), b"caBX" + JUMBF
    chunk = struct.pack(">I", len(JUMBF)) + content + struct.pack(">I", zlib.crc32(content))
    assert read_picture(plain[:33] + chunk + plain[33:]).notes == (CREDENTIALS,)


@pytest.mark.parametrize(
    ("tag", "kind", "value", "note"),
    [
        (0x830E, TiffTags.DOUBLE, (1.0, 1.0, 0.0), "its GeoTIFF tags, which place it on a map, are left out"),
        (42_112, TiffTags.ASCII, "<GDALMetadata/>", "its GDAL tags are left out"),
        (37_724, TiffTags.UNDEFINED, b"8BIM", "its Photoshop layers or other data of its document are left out"),
        (50_838, TiffTags.LONG, 12, "its ImageJ tags are left out"),
        (318, TiffTags.RATIONAL, (0.3127, 0.329), None),
        (318, TiffTags.RATIONAL, (0.3457, 0.3585), OTHER_COLOURS.format("WhitePoint")),
        (319, TiffTags.RATIONAL, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06), None),
        (319, TiffTags.RATIONAL, (0.64, 0.33, 0.21, 0.71, 0.15, 0.06), OTHER_COLOURS.format("PrimaryChromaticities")),
        (0x8649, TiffTags.BYTE, RESOURCES, "its Photoshop resources (copyright flag, URL) are left out"),
    ],
)
def test_what_a_tiff_says_and_no_result_holds_is_told_of(
    tag: int, kind: int, value: Any, note: str | None, samples: np.ndarray, save: Any
) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[tag] = kind
    tags[tag] = value
    assert read_picture(save(samples, "TIFF", tiffinfo=tags)).notes == ((note,) if note else ())


def test_a_profile_counts_more_than_the_tags_of_colours(
    samples: np.ndarray, save: Any, matrix_profile: Callable[..., bytes]
) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[318] = (0.3457, 0.3585)
    assert read_picture(save(samples, "TIFF", tiffinfo=tags, icc_profile=matrix_profile("p3"))).notes == ()


def test_the_number_of_a_page_is_kept(samples: np.ndarray, save: Any) -> None:
    content = encode_picture(read_picture(save(samples, "TIFF", tiffinfo={297: (2, 5)})), format_by_name("tiff"))
    with Image.open(io.BytesIO(content)) as image:
        assert image.tag_v2[297] == (2, 5)


# Stripping


@each_target
def test_strip_metadata_leaves_nothing_but_the_profile(target: str, described: Any, iptc: bytes, tags_of: Any) -> None:
    content = encode_picture(read_picture(described("jpeg")), format_by_name(target), strip_metadata=True)
    assert {key for key in tags_of(content) if key[0]} == set()
    assert {tag for _, tag in tags_of(content)} <= {ORIENTATION, 0x011A, 0x011B, 0x0128}
    assert xmp_of(content) is None
    assert iptc_of(content) is None
    assert b"Maker" not in content
    assert b"Caption" not in content
