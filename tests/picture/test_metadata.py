from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from restore_cli.picture.formats import Format, format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

HOLDERS = ("jpeg", "png", "tiff", "webp", "avif")
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
ORIENTATION, X_DIMENSION, Y_DIMENSION, XMP_TAG, IPTC_TAG = 0x0112, 0xA002, 0xA003, 0x02BC, 0x83BB
POINTERS = {("", EXIF), ("", GPS), ("camera", INTEROPERABILITY)}
LAYOUT = {0x100, 0x101, 0x102, 0x103, 0x106, 0x111, 0x115, 0x116, 0x117, 0x11C, 0x13D, 0x153, XMP_TAG, IPTC_TAG}

each_source = pytest.mark.parametrize("source", HOLDERS)
each_target = pytest.mark.parametrize("target", HOLDERS)


def named(name: str) -> Format:
    format = format_by_name(name)
    assert format is not None
    return format


def tags_of(content: bytes) -> dict[tuple[str, int], Any]:
    """Return all EXIF tags of a file as Pillow reads them, by group."""
    with Image.open(io.BytesIO(content)) as image:
        exif = image.getexif()
        groups = {"": dict(exif), "camera": exif.get_ifd(EXIF), "place": exif.get_ifd(GPS)}
        groups |= {"interoperability": exif.get_ifd(INTEROPERABILITY), "thumbnail": exif.get_ifd(ExifTags.IFD.IFD1)}
        found = {(group, tag): value for group, tags in groups.items() for tag, value in tags.items()}
    return {key: value for key, value in found.items() if key not in POINTERS and not (not key[0] and key[1] in LAYOUT)}


def xmp_of(content: bytes) -> bytes | None:
    with Image.open(io.BytesIO(content)) as image:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    return packet or None


def iptc_of(content: bytes) -> bytes | None:
    with Image.open(io.BytesIO(content)) as image:
        if image.format == "TIFF":
            return image.tag_v2.get(IPTC_TAG)  # type: ignore[attr-defined]
        return image.info.get("photoshop", {}).get(0x0404)


def photoshop(records: bytes, preview: bytes = b"") -> bytes:
    """Make an APP13 segment as Photoshop does, with another resource before the records."""

    def resource(identifier: int, name: bytes, data: bytes) -> bytes:
        name = bytes([len(name)]) + name
        head = b"8BIM" + struct.pack(">H", identifier) + name + bytes(len(name) % 2)
        return head + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)

    block = b"Photoshop 3.0\0" + resource(0x040C, b"old", preview) + resource(0x0404, b"", records)
    return b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


@pytest.fixture
def described(samples: np.ndarray, make_exif: Any, xmp: bytes, iptc: bytes, save: Any) -> Callable[[str], bytes]:
    """Make a file of a format with all the metadata that Pillow can put into it; it stands on its side."""

    def make(format: str) -> bytes:
        tags = make_exif(6, nested=format != "tiff")  # which Pillow does not write into a TIFF
        if format == "png":
            return save(samples, "PNG", exif=tags)
        if format == "tiff":
            tags[XMP_TAG], tags[IPTC_TAG] = xmp, iptc
            return save(samples, "TIFF", exif=tags.tobytes())
        content = save(samples, format.upper(), exif=tags.tobytes(), xmp=xmp)
        return content[:2] + photoshop(iptc, b"preview" * 9) + content[2:] if format == "jpeg" else content

    return make


# EXIF


@each_source
@each_target
def test_every_exif_tag_arrives_unchanged(source: str, target: str, described: Any) -> None:
    content = described(source)
    picture = read_picture(content)
    assert picture.notes == ()
    before, after = tags_of(content), tags_of(encode_picture(picture, named(target)))
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
def test_dimensions_are_those_of_the_new_file(target: str, described: Any) -> None:
    picture = read_picture(described("jpeg"))
    larger = replace(picture, pixels=np.zeros((70, 90, 3), np.uint8))
    content = encode_picture(larger, named(target))
    tags = tags_of(content)
    assert (tags["camera", X_DIMENSION], tags["camera", Y_DIMENSION]) == (90, 70)
    packet = xmp_of(content)
    assert packet is not None
    assert b'exif:PixelXDimension="90"' in packet
    assert b'exif:PixelYDimension="70"' in packet


def test_dimensions_of_more_than_16_bits_are_stored_as_32(described: Any) -> None:
    picture = replace(read_picture(described("jpeg")), pixels=np.zeros((1, 70_000, 3), np.uint8))
    tags = tags_of(encode_picture(picture, named("png")))
    assert (tags["camera", X_DIMENSION], tags["camera", Y_DIMENSION]) == (70_000, 1)


@each_target
@pytest.mark.parametrize("last", [True, False])
def test_the_old_thumbnail_is_gone(
    target: str, last: bool, samples: np.ndarray, make_exif: Any, thumbnail: bytes, save: Any
) -> None:
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
    written = encode_picture(read_picture(content), named(target))
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
        written = encode_picture(read_picture(content), named(target))
        start = written.index(b"MM\0*") if b"MM\0*" in written else written.index(b"II*\0")
        assert written.index(b"Maker note") - start == place


def test_the_checksum_of_a_png_is_right(described: Any) -> None:
    written = encode_picture(read_picture(described("jpeg")), named("png"))
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
    assert read_picture(encode_picture(picture, named(source))).metadata.exif is None


@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif"])
def test_exif_of_any_size_fits_or_is_named_as_lost(target: str, samples: np.ndarray) -> None:
    for size in (26, 100, 1000, 65_000, 65_001, 200_000):
        block = b"II*\0\x08\0\0\0\0\0" + bytes(range(256)) * 800
        picture = Picture(samples, metadata=Metadata(exif=block[:size]))
        content = encode_picture(picture, named(target))
        again = read_picture(content)
        lost = losses(picture, named(target))
        assert bool(lost) == (size > 65_000 and target != "png")
        assert (block[:size] in content) == (not lost)
        assert (again.metadata.exif is None) == bool(lost)


def test_exif_of_any_size_goes_into_a_tiff(samples: np.ndarray, described: Any) -> None:
    big = replace(read_picture(described("tiff")), pixels=samples)
    assert big.metadata.exif is not None
    large = big.metadata.exif + bytes(200_000)
    picture = replace(big, metadata=replace(big.metadata, exif=large))
    assert losses(picture, named("tiff")) == ()
    assert tags_of(encode_picture(picture, named("tiff"))) == tags_of(encode_picture(big, named("tiff")))


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("target", HOLDERS)
def test_both_byte_orders_are_understood(
    order: str, target: str, samples: np.ndarray, make_exif: Any, save: Any
) -> None:
    block = make_exif(order="<" if order == "II" else ">").tobytes()
    assert block.startswith(b"Exif\0\0" + order.encode())
    content = save(samples, "JPEG", exif=block)
    before, after = tags_of(content), tags_of(encode_picture(read_picture(content), named(target)))
    assert after["place", 2] == before["place", 2] == (51.0, 30.0, 12.5)
    assert after["camera", 0x8827] == before["camera", 0x8827] == 400
    assert after["", 0x010F] == "Maker"


# TIFF


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_of_any_tiff_are_read(bigtiff: bool, order: str, samples: np.ndarray, described: Any) -> None:
    if bigtiff:
        plain = pyvips.Image.new_from_array(samples).copy(interpretation="srgb").tiffsave_buffer(bigtiff=True)
        assert read_picture(plain).metadata.exif is None
        content = appended(plain, read_picture(described("jpeg")).metadata)
    else:
        file = io.BytesIO()
        tags = Image.Exif()
        tags[0x010F], tags.get_ifd(EXIF)[0x8827] = "Maker", 400
        Image.fromarray(samples).save(file, "TIFF", exif=tags.tobytes())
        content = file.getvalue() if order == "<" else big_endian_tiff(samples)
    picture = read_picture(content)
    assert (picture.pixels == samples).all()
    tags_after = tags_of(encode_picture(picture, named("jpeg")))
    assert tags_after["", 0x010F] == "Maker"
    assert tags_after["camera", 0x8827] == 400


def appended(content: bytes, metadata: Metadata) -> bytes:
    from restore_cli.picture.tiff_tags import append_tags

    file = io.BytesIO(content)
    append_tags(file, metadata.exif, metadata.iptc)
    return file.getvalue()


def big_endian_tiff(samples: np.ndarray) -> bytes:
    """Write an uncompressed RGB TIFF in Motorola's byte order by hand, with Make and ISO."""
    height, width, _ = samples.shape
    camera = struct.pack(">HHHIHHI", 1, 0x8827, 3, 1, 400, 0, 0)
    pixels_at = 8 + len(camera) + 8
    directory_at = pixels_at + samples.size
    entries = [
        (0x100, 3, 1, width << 16), (0x101, 3, 1, height << 16), (0x102, 3, 1, 8 << 16), (0x103, 3, 1, 1 << 16),
        (0x106, 3, 1, 2 << 16), (0x10F, 2, 6, 8 + len(camera)), (0x111, 4, 1, pixels_at), (0x115, 3, 1, 3 << 16),
        (0x116, 3, 1, height << 16), (0x117, 4, 1, samples.size), (EXIF, 4, 1, 8),
    ]  # fmt: skip
    table = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", *entry) for entry in entries) + bytes(4)
    return b"MM\0*" + struct.pack(">I", directory_at) + camera + b"Maker\0\0\0" + samples.tobytes() + table


@pytest.mark.parametrize("depth", [8, 16])
def test_tags_leave_the_pixels_of_a_tiff_alone(depth: int, deep_samples: np.ndarray, described: Any) -> None:
    pixels = deep_samples if depth == 16 else (deep_samples >> 8).astype(np.uint8)
    described_picture = read_picture(described("jpeg"))
    picture = Picture(pixels, depth=depth, metadata=described_picture.metadata)
    content = encode_picture(picture, named("tiff"))
    assert (read_picture(content).pixels == pixels).all()
    image = pyvips.Image.new_from_buffer(content, "")
    assert (image.numpy() == pixels).all()
    assert image.get("n-pages") == 1


def test_tags_of_a_bigtiff_are_written(samples: np.ndarray, described: Any) -> None:
    plain = pyvips.Image.new_from_array(samples).copy(interpretation="srgb").tiffsave_buffer(bigtiff=True)
    content = appended(plain, read_picture(described("jpeg")).metadata)
    assert (read_picture(content).pixels == samples).all()
    assert tags_of(content)["", 0x010F] == "Maker"


# XMP and IPTC


@pytest.mark.parametrize("source", ["jpeg", "tiff", "webp", "avif"])
@each_target
def test_xmp_arrives(source: str, target: str, described: Any, xmp: bytes) -> None:
    packet = xmp_of(encode_picture(read_picture(described(source)), named(target)))
    upright = xmp.replace(b'Orientation="6"', b'Orientation="1"')
    assert packet == upright.replace(b'XDimension="60"', b'XDimension="40"').replace(
        b'YDimension="40"', b'YDimension="60"'
    )


@pytest.mark.parametrize("source", ["jpeg", "tiff"])
@pytest.mark.parametrize("target", ["jpeg", "tiff"])
def test_iptc_arrives(source: str, target: str, described: Any, iptc: bytes) -> None:
    content = encode_picture(read_picture(described(source)), named(target))
    assert iptc_of(content) == iptc
    assert read_picture(content).metadata.iptc == iptc
    assert b"preview" not in content


# Stripping


@each_target
def test_strip_metadata_leaves_nothing_but_the_profile(target: str, described: Any, iptc: bytes) -> None:
    content = encode_picture(read_picture(described("jpeg")), named(target), strip_metadata=True)
    assert {key for key in tags_of(content) if key[0]} == set()
    assert {tag for _, tag in tags_of(content)} <= {ORIENTATION, 0x011A, 0x011B, 0x0128}
    assert xmp_of(content) is None
    assert iptc_of(content) is None
    assert b"Maker" not in content
    assert b"Caption" not in content


# Resolution


@each_target
def test_a_resolution_that_nobody_stated_is_not_invented(target: str, samples: np.ndarray, save: Any) -> None:
    for source in ("JPEG", "PNG", "TIFF", "WEBP", "BMP"):
        picture = read_picture(save(samples, source, **({"dpi": (0, 0)} if source == "BMP" else {})))
        assert picture.metadata.pixels_per_mm is None, source
        content = encode_picture(picture, named(target))
        with Image.open(io.BytesIO(content)) as image:
            stated = image.info.get("dpi")
        assert stated is None or np.allclose(stated, 72, atol=0.02)
        if target not in ("tiff", "png"):
            assert tags_of(content) == {}


@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "BMP"])
@each_target
def test_a_stated_resolution_is_kept(source: str, target: str, samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, source, dpi=(300, 150)))
    assert picture.metadata.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-4)
    content = encode_picture(picture, named(target))
    assert read_picture(content).metadata.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-3)
    with Image.open(io.BytesIO(content)) as image:
        if target in ("png", "tiff"):
            assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-3)
        else:
            stated = [image.getexif()[tag] * 2.54 for tag in (0x011A, 0x011B)]
            assert stated == pytest.approx([300, 150], rel=1e-3)


def test_a_bitmap_keeps_its_resolution(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "BMP", dpi=(300, 150)))
    with Image.open(io.BytesIO(encode_picture(picture, named("bmp")))) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-3)


# What is lost is said


@pytest.mark.parametrize("name", ["jpeg", "png", "tiff", "webp", "avif", "gif", "bmp", "ppm", "tga", "jp2"])
def test_losses_name_what_does_not_arrive(name: str, samples: np.ndarray, alpha: np.ndarray, described: Any) -> None:
    deep = samples.astype(np.uint16) * 257
    metadata = read_picture(described("jpeg")).metadata
    picture = Picture(deep, alpha.astype(np.uint16) * 257, depth=16, metadata=metadata)
    said = " ".join(losses(picture, named(name)))
    again = read_picture(encode_picture(picture, named(name)))
    assert ("8 bits a sample" in said) == (again.depth == 8)
    assert ("transparency" in said) == (again.alpha is None)
    assert ("EXIF" in said) == (again.metadata.exif is None)
    assert ("XMP" in said) == (again.metadata.xmp is None)
    assert ("IPTC" in said) == (again.metadata.iptc is None)
    silent = " ".join(losses(picture, named(name), strip_metadata=True))
    assert not any(block in silent for block in ("EXIF", "XMP", "IPTC"))


@pytest.mark.parametrize(("size", "is_lost"), [(60_000, False), (60_001, True), (100_000, True)])
def test_a_long_xmp_packet_fits_or_is_named_as_lost(size: int, is_lost: bool, samples: np.ndarray) -> None:
    picture = Picture(samples, metadata=Metadata(xmp=b"x" * size))
    assert (read_picture(encode_picture(picture, named("jpeg"))).metadata.xmp is None) == is_lost
    assert bool(losses(picture, named("jpeg"))) == is_lost
    assert read_picture(encode_picture(picture, named("png"))).metadata.xmp == b"x" * size
    assert losses(picture, named("png")) == ()


@pytest.mark.parametrize(("size", "is_lost"), [(65_500, False), (65_600, True)])
def test_long_iptc_records_fit_or_are_named_as_lost(size: int, is_lost: bool, samples: np.ndarray) -> None:
    picture = Picture(samples, metadata=Metadata(iptc=b"\x1c" * size))
    assert (read_picture(encode_picture(picture, named("jpeg"))).metadata.iptc is None) == is_lost
    assert bool(losses(picture, named("jpeg"))) == is_lost
    assert read_picture(encode_picture(picture, named("tiff"))).metadata.iptc == b"\x1c" * size


def test_a_lost_profile_is_named(samples: np.ndarray, matrix_profile: Callable[..., bytes], grey_profile: Any) -> None:
    colour = Picture(samples, metadata=Metadata(icc=matrix_profile("p3")))
    grey = Picture(np.ascontiguousarray(samples[..., :1]), metadata=Metadata(icc=grey_profile(1.8)))
    assert "profile" in " ".join(losses(colour, named("bmp")))
    assert losses(colour, named("webp")) == ()
    assert "profile" in " ".join(losses(grey, named("webp")))
    assert losses(grey, named("jpeg")) == ()
