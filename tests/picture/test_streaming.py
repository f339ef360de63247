"""Pictures that come in bands, and those that lie in scratch files."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from restore_cli.errors import UnreadablePictureError, UnwritablePictureError
from restore_cli.picture import vips, vips_saving
from restore_cli.picture.assembling import PictureAssembler
from restore_cli.picture.formats import FORMATS, Format, format_by_name
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import measure_picture, read_picture
from restore_cli.picture.writing import encode_picture, encoding, writing
from restore_cli.scratch import ArrayStorage

HEIGHT, WIDTH = 90, 70
READ_IN_MEMORY = ("pillow", "heif")
"""What decodes pictures whole, in memory."""
each_format = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


def bands_of(picture: Picture, rows: int) -> Iterator[Picture]:
    for top in range(0, picture.height, rows):
        yield picture.band(slice(top, top + rows))


@pytest.fixture(params=["8 bits", "16 bits", "grey", "alpha", "wide gamut"])
def picture(request: pytest.FixtureRequest) -> Picture:
    rng = np.random.default_rng(3)
    deep = rng.integers(0, 65_536, (HEIGHT, WIDTH, 3), np.uint16)
    metadata = Metadata(exif=None, xmp=b"<x:xmpmeta/>", pixels_per_mm=(4.0, 4.0))
    match request.param:
        case "8 bits":
            return Picture((deep >> 8).astype(np.uint8), metadata=metadata)
        case "grey":
            return Picture((deep >> 8).astype(np.uint8)[..., :1], metadata=metadata)
        case "alpha":
            return Picture(deep, deep[..., 0] >> 1, depth=16, metadata=metadata)
        case "wide gamut":
            profile = bytes(pyvips.Operation.call("profile_load", "p3"))
            beyond = rng.integers(-900, 900, deep.shape).astype(np.int32)
            return Picture(deep, None, beyond, 16, "png", replace(metadata, icc=profile))
    return Picture(deep, depth=16, metadata=metadata)


@each_format
@pytest.mark.parametrize("rows", [1, 32, 89])
def test_a_picture_in_bands_is_the_same_file(format: Format, rows: int, picture: Picture) -> None:
    file = io.BytesIO()
    with encoding(file, HEIGHT, WIDTH, format) as add:
        for band in bands_of(picture, rows):
            add(band)
    assert file.getvalue() == encode_picture(picture, format)


def test_a_picture_in_bands_is_never_held_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(PictureAssembler, "add", lambda *arguments: pytest.fail("was put together"))
    noise = np.random.default_rng(0).integers(0, 256, (2000, 500, 3), np.uint8)
    with writing(tmp_path / "a.png", 2000, 500, format_by_name("png")) as add:
        for band in bands_of(Picture(noise), 200):
            add(band)
        assert "a.png" not in os.listdir(tmp_path)
    assert (read_picture(tmp_path / "a.png").pixels == noise).all()


@pytest.mark.parametrize("name", ["png", "tiff", "ppm"])
def test_a_large_picture_that_comes_whole_is_encoded_in_bands(
    name: str, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode_picture(picture, format_by_name(name))
    monkeypatch.setattr("restore_cli.picture.encoding.LARGEST_IN_MEMORY", 1000)
    monkeypatch.setattr(vips, "image_of", lambda samples: pytest.fail("was encoded in one piece"))
    assert encode_picture(picture, format_by_name(name)) == expected


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg", "ppm", "webp", "dz"])
def test_work_that_fails_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    format = format_by_name(name)
    target = tmp_path / "new" / "folder" / f"a{format.suffixes[0]}"
    with pytest.raises(ZeroDivisionError), writing(target, 400, 300, format) as add:  # noqa: PT012 where it fails counts
        add(Picture(np.zeros((200, 300, 3), np.uint8)))
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg"])
def test_an_encoder_that_fails_ends_the_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise pyvips.Error("unable to write", "odd: the encoder is tired")

    monkeypatch.setattr(vips_saving, "_save", fail)
    format = format_by_name(name)
    added = 0
    many = list(bands_of(Picture(np.zeros((10_000, 300, 3), np.uint8)), 100))

    def write() -> None:
        nonlocal added
        with writing(tmp_path / "a", 10_000, 300, format) as add:
            for band in many:
                add(band)
                added += 1

    with pytest.raises(UnwritablePictureError, match=r"cannot write .*the encoder is tired"):
        write()
    assert added < 5
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["png", "ppm", "webp"])
def test_rows_that_are_missing_are_no_file(name: str, tmp_path: Path) -> None:
    def write() -> None:
        with writing(tmp_path / "a", 100, 30, format_by_name(name)) as add:
            add(Picture(np.zeros((60, 30, 3), np.uint8)))

    with pytest.raises(AssertionError):
        write()
    assert os.listdir(tmp_path) == []


# Reading


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.scratch.BAND_BYTES", 3000)
    monkeypatch.setattr(vips, "DECODED_BYTES", 3000)


class CountingStorage(ArrayStorage):
    """Counts the samples of arrays that were made in scratch files."""

    in_scratch = 0

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        self.in_scratch += math.prod(shape)
        return super().empty(shape, dtype)


@each_format
def test_a_scratch_file_holds_what_memory_would(format: Format, picture: Picture) -> None:
    content, storage = encode_picture(picture, format), CountingStorage(0)
    expected, got = read_picture(content), read_picture(content, storage=storage)
    assert storage.in_scratch >= got.pixels.size or format.codec in READ_IN_MEMORY
    assert (got.pixels == expected.pixels).all()
    assert got.pixels.dtype == expected.pixels.dtype
    for ours, theirs in ((got.alpha, expected.alpha), (got.beyond_srgb, expected.beyond_srgb)):
        assert (ours is None) == (theirs is None)
        assert ours is None or (ours == theirs).all()
    assert got.metadata == expected.metadata


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_in_a_scratch_file(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    expected = read_picture(file.getvalue())
    got = read_picture(file.getvalue(), storage=ArrayStorage(0))
    assert (got.pixels == expected.pixels).all()
    assert measure_picture(file.getvalue()) == expected.pixels.shape[:2]


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg", "webp"])
def test_a_cut_file_is_told_in_one_line(name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 400, 3), np.uint8)
    content = encode_picture(Picture(noise), format_by_name(name))
    with pytest.raises(UnreadablePictureError, match="cannot read the bytes given: it is cut"):
        read_picture(content[: len(content) * 2 // 3], storage=ArrayStorage(0))


def test_a_picture_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(height: int, width: int) -> None:
        raise UnwritablePictureError(f"{height} {width}")

    monkeypatch.setattr(vips, "decode", lambda *arguments: pytest.fail("was decoded"))
    content = encode_picture(Picture(np.zeros((20, 30, 3), np.uint8)), format_by_name("png"))
    with pytest.raises(UnwritablePictureError, match="20 30"):
        read_picture(content, check=refuse)
