"""Places in the picture, which EXIF counts in pixels, go with it when it is turned and when its size changes."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.metadata.directory import read_first_directory
from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.exif import EXIF, ORIENTATION, sized_exif, upright_exif
from restore_cli.picture.metadata.layout import LONG, RATIONAL, SHORT, Layout, Value
from restore_cli.picture.orientation import turn_upright
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

AREA, LOCATION, DENSITY_ACROSS, DENSITY_DOWN = 0x9214, 0xA214, 0xA20E, 0xA20F
WIDTH, HEIGHT = 60, 40


def block_with(camera: dict[int, Value], orientation: int = 1, order: Any = "<") -> bytes:
    layout = Layout(order)
    writer = DirectoryWriter(layout, 8)
    group = writer.add(camera)
    first = writer.add(
        {
            ORIENTATION: Value(SHORT, struct.pack(order + "H", orientation)),
            EXIF: Value(LONG, struct.pack(order + "I", group)),
        }
    )
    return (b"II*\0" if order == "<" else b"MM\0*") + layout.offset.pack(first) + bytes(writer.content)


def shorts(*numbers: int, order: str = "<") -> Value:
    return Value(SHORT, struct.pack(f"{order}{len(numbers)}H", *numbers))


def density(above: int, below: int = 1) -> Value:
    return Value(RATIONAL, struct.pack("<II", above, below))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("source", "order"), [("PNG", "<"), ("PNG", ">"), ("TIFF", "<")])
def test_the_subject_is_turned_with_the_pixels(
    source: str, order: str, orientation: int, tags_of: Any, save: Any
) -> None:
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stored[7, 11] = 255
    camera = {AREA: shorts(11, 7, 6, 4, order=order), LOCATION: shorts(11, 7, order=order)}
    content = save(stored, source, exif=block_with(camera, orientation, order))
    upright = turn_upright(stored, orientation)
    ((row,), (column,)) = np.nonzero(upright[..., 0])
    tags = tags_of(encode_picture(read_picture(content), format_by_name("png")))
    extent = (4, 6) if orientation in (5, 6, 7, 8) else (6, 4)
    assert tags["camera", AREA] == (column, row, *extent)
    assert tags["camera", LOCATION] == (column, row)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP"])
def test_places_and_densities_are_scaled_with_the_picture(
    source: str, samples: np.ndarray, tags_of: Any, save: Any
) -> None:
    camera = {AREA: shorts(10, 20, 8), DENSITY_ACROSS: density(5000, 3), DENSITY_DOWN: density(400)}
    picture = read_picture(save(samples, source, exif=b"Exif\0\0" + block_with(camera, 6)))
    larger = replace(picture, pixels=np.zeros((4 * picture.height, 3 * picture.width, 3), np.uint8))
    for target in ("jpeg", "png", "tiff", "webp", "avif"):
        tags = tags_of(encode_picture(larger, format_by_name(target)))
        assert tags["camera", AREA] == (3 * (HEIGHT - 1 - 20), 4 * 10, 24)
        assert tags["camera", DENSITY_ACROSS] == 1200
        assert tags["camera", DENSITY_DOWN] == pytest.approx(20_000 / 3)


def test_numbers_stay_within_what_holds_them() -> None:
    camera = {AREA: shorts(40_000, 1, 9, 9), DENSITY_ACROSS: density(2**32 - 1), DENSITY_DOWN: density(3, 2**32 - 1)}
    sized = sized_exif(block_with(camera), (600, 401), (60, 40))
    assert struct.pack("<4H", 65_535, 10, 90, 90) in sized
    assert struct.pack("<II", 2**32 - 1, 1) in sized


def test_a_picture_made_by_a_program_has_no_size_to_scale_from(samples: np.ndarray) -> None:
    block = block_with({AREA: shorts(10, 20, 8)})
    picture = Picture(samples)
    written = encode_picture(replace(picture, metadata=replace(picture.metadata, exif=block)), format_by_name("png"))
    assert block in written


@pytest.mark.parametrize("short", [DENSITY_ACROSS, DENSITY_DOWN])
def test_densities_of_another_kind_stay_as_they_are(short: int) -> None:
    unit = 0xA210
    camera = {DENSITY_ACROSS: density(5000, 3), DENSITY_DOWN: density(400), unit: shorts(2)} | {short: shorts(300)}
    upright = upright_exif(block_with(camera, orientation=6), (40, 60), 6)
    group = read_first_directory(upright).below(EXIF)
    assert group is not None
    assert group.values(group.layout) == camera


def test_a_density_of_another_kind_may_end_a_block_without_a_last_offset() -> None:
    first = struct.pack("<H" + 2 * "HHII" + "I", 2, ORIENTATION, SHORT, 1, 6, EXIF, LONG, 1, 46, 0)
    group = struct.pack("<H" + 2 * "HHII", 2, DENSITY_ACROSS, RATIONAL, 1, 38, DENSITY_DOWN, SHORT, 1, 300)
    block = b"II*\0\x08\0\0\0" + first + struct.pack("<II", 400, 1) + group
    upright = upright_exif(block, (40, 60), 6)
    assert sum(old != new for old, new in zip(block, upright, strict=True)) == 1


@pytest.mark.parametrize("at", [0, 6, 10, 30])
def test_a_subject_that_lies_in_the_tags_themselves_harms_nobody(at: int) -> None:
    block = bytearray(block_with({AREA: shorts(1, 2, 3, 4)}, orientation=6))
    entry = block.index(struct.pack("<HHI", AREA, SHORT, 4))
    struct.pack_into("<I", block, entry + 8, at)
    upright = upright_exif(bytes(block), (40, 60), 6)
    assert sum(old != new for old, new in zip(block, upright, strict=True)) == 1
    assert sized_exif(upright, (80, 120), (40, 60)) == upright
