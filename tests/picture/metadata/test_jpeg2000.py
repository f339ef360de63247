from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.metadata.exif import orientation_of
from restore_cli.picture.metadata.jpeg2000 import EXIF, IPTC, XMP, bits_per_sample, read_blocks, read_profile
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture


def with_depth(content: bytes, bits: int) -> bytes:
    """Make a JPEG 2000 file claim other bits per sample, in its header box and in its codestream."""
    changed = bytearray(content)
    box = content.find(b"ihdr")
    if box >= 0:
        changed[box + 14] = bits - 1
    siz = content.index(b"\xff\x4f\xff\x51") + 4
    (components,) = struct.unpack_from(">H", content, siz + 36)
    for component in range(components):
        changed[siz + 38 + 3 * component] = bits - 1
    return bytes(changed)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_bits_are_found(bits: int, stream: bool, samples: np.ndarray, save: Any) -> None:
    content = with_depth(save(samples, "JPEG2000", no_jp2=stream), bits)
    assert bits_per_sample(io.BytesIO(content)) == bits


@pytest.mark.parametrize("length", [0, 1, 4, 11, 12, 30, 85, 120])
def test_a_file_without_a_codestream_has_no_bits(length: int, samples: np.ndarray, save: Any) -> None:
    assert bits_per_sample(io.BytesIO(save(samples, "JPEG2000")[:length])) is None


def test_boxes_before_the_codestream_are_passed_over(samples: np.ndarray, save: Any) -> None:
    content = save(samples, "JPEG2000")
    at = content.index(b"jp2c") - 4
    for box in (
        struct.pack(">I4s", 100_008, b"xml ") + bytes(100_000),
        struct.pack(">I4sQ", 1, b"uuid", 66) + bytes(50),
    ):
        assert bits_per_sample(io.BytesIO(content[:at] + box + content[at:])) == 8
    assert bits_per_sample(io.BytesIO(content[:at] + struct.pack(">I4s", 3, b"xml ") + content[at:])) is None


def with_blocks(content: bytes, *blocks: bytes) -> bytes:
    """Put boxes of the kind `uuid` before the codestream of a JPEG 2000 file."""
    at = content.index(b"jp2c") - 4
    boxes = b"".join(struct.pack(">I4s", 8 + len(block), b"uuid") + block for block in blocks)
    return content[:at] + boxes + content[at:]


def test_exif_xmp_and_iptc_come_with_the_picture(samples: np.ndarray, save: Any, make_exif: Any) -> None:
    exif, packet, records = make_exif(6).tobytes(), b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", b"\x1c\x02\x05\0\x03Ann"
    content = save(samples, "JPEG2000")
    with_head, bare = EXIF + exif, EXIF + exif.removeprefix(b"Exif\0\0")
    for block in (with_head, bare):
        picture = read_picture(with_blocks(content, bytes(40), XMP + packet, IPTC + records, block))
        assert picture.notes == ()
        assert (picture.height, picture.width) == samples.shape[:2]
        assert (picture.metadata.xmp, picture.metadata.iptc) == (packet, records)
        assert picture.metadata.exif is not None
        assert orientation_of(picture.metadata.exif) == 1
        assert picture.metadata.pixels_per_mm == pytest.approx((300 / 25.4, 300 / 25.4))


def test_what_is_said_of_a_panorama_is_scaled_with_the_picture(samples: np.ndarray, save: Any) -> None:
    packet = b"<rdf:Description GPano:FullPanoWidthPixels='120' GPano:CroppedAreaTopPixels='5'/>"
    picture = read_picture(with_blocks(save(samples, "JPEG2000"), XMP + packet))
    larger = replace(picture, pixels=np.zeros((4 * picture.height, 3 * picture.width, 3), np.uint8))
    written = read_picture(encode_picture(larger, "png")).metadata.xmp
    assert written == packet.replace(b"120", b"360").replace(b"'5'", b"'20'")


@pytest.mark.parametrize("method", [2, 3])
def test_the_profile_comes_with_the_picture(method: int, samples: np.ndarray, save: Any, matrix_profile: Any) -> None:
    content, profile = save(samples, "JPEG2000"), matrix_profile("p3")
    at = content.index(b"colr") - 4
    (length,) = struct.unpack_from(">I", content, at)
    box = struct.pack(">I4s3B", 11 + len(profile), b"colr", method, 0, 0) + profile
    start = content.index(b"jp2h") - 4
    (outer,) = struct.unpack_from(">I", content, start)
    head = content[:start] + struct.pack(">I", outer + len(box) - length) + content[start + 4 : at]
    with_profile = head + box + content[at + length :]
    assert read_profile(io.BytesIO(content)) is None
    assert read_profile(io.BytesIO(with_profile)) == profile
    picture = read_picture(with_profile)
    assert picture.metadata.icc == profile
    assert (picture.pixels != samples.astype(np.uint16) * 257).any(), "they are sRGB"
    assert read_profile(io.BytesIO(with_profile[: at + 40])) != profile


@pytest.mark.parametrize("block", [EXIF + b"no directory", EXIF + b"II*\0\xff\xff\xff\xff"])
def test_damaged_exif_is_told_of(block: bytes, samples: np.ndarray, save: Any) -> None:
    picture = read_picture(with_blocks(save(samples, "JPEG2000"), block))
    assert picture.metadata.exif is None
    assert picture.notes == ("its EXIF data is damaged and left out",)


@pytest.mark.parametrize("length", [1 << 27, 3, 0])
def test_boxes_of_impossible_lengths_hold_nothing(length: int, samples: np.ndarray, save: Any) -> None:
    content = save(samples, "JPEG2000")
    at = content.index(b"jp2c") - 4
    damaged = content[:at] + struct.pack(">I4s", length, b"uuid") + XMP + b"<x/>" + content[at:]
    assert read_blocks(io.BytesIO(damaged)) == {}
    assert read_blocks(io.BytesIO(damaged[: at + 8])) == {}


@pytest.mark.parametrize("length", [15, 16, 10**6, 2**63 - 90, 2**63, 2**64 - 1])
def test_a_box_of_a_length_of_64_bits_may_be_damaged(length: int, samples: np.ndarray, save: Any) -> None:
    content = save(samples, "JPEG2000")
    at = content.index(b"jp2c") - 4
    damaged = content[:at] + struct.pack(">I4sQ", 1, b"uuid", length) + content[at:]
    assert read_blocks(io.BytesIO(damaged)) == {}
    assert read_profile(io.BytesIO(damaged)) is None
    assert bits_per_sample(io.BytesIO(damaged)) == (8 if length == 16 else None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_deep_colour_is_read_with_a_note(mode: str, stream: bool, samples: np.ndarray, save: Any) -> None:
    image = Image.fromarray(samples).convert(mode)
    content = with_depth(save(image, "JPEG2000", no_jp2=stream), 16)
    picture = read_picture(content)
    assert picture.notes == ("its 16 bits per sample are read as 8",)
    assert picture.depth == 8


@pytest.mark.parametrize("stream", [False, True])
def test_deep_grey_is_read_whole(stream: bool, deep_samples: np.ndarray, save: Any) -> None:
    grey = np.ascontiguousarray(deep_samples[..., 0])
    picture = read_picture(save(grey, "JPEG2000", no_jp2=stream))
    assert (picture.depth, picture.notes) == (16, ())
    assert (picture.pixels[..., 0] == grey).all()
