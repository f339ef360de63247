from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

EXIF = 0x8769


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_of_any_tiff_are_read(
    bigtiff: bool, order: str, samples: np.ndarray, described: Any, tags_of: Any
) -> None:
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
    tags_after = tags_of(encode_picture(picture, format_by_name("jpeg")))
    assert tags_after["", 0x010F] == "Maker"
    assert tags_after["camera", 0x8827] == 400


def appended(content: bytes, metadata: Metadata) -> bytes:
    from restore_cli.picture.metadata.tiff_tags import append_tags

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
    content = encode_picture(picture, format_by_name("tiff"))
    assert (read_picture(content).pixels == pixels).all()
    image = pyvips.Image.new_from_buffer(content, "")
    assert (image.numpy() == pixels).all()
    assert image.get("n-pages") == 1


def test_tags_of_a_bigtiff_are_written(samples: np.ndarray, described: Any, tags_of: Any) -> None:
    plain = pyvips.Image.new_from_array(samples).copy(interpretation="srgb").tiffsave_buffer(bigtiff=True)
    content = appended(plain, read_picture(described("jpeg")).metadata)
    assert (read_picture(content).pixels == samples).all()
    assert tags_of(content)["", 0x010F] == "Maker"
