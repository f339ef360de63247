from __future__ import annotations

import errno
import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.errors import UnwritablePictureError
from restore_cli.picture import writing
from restore_cli.picture.formats import FORMATS, Format, format_by_name, format_of_path
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import check_size, encode_picture, stored_depth, write_picture

LOSSLESS = ("png", "tiff", "bmp", "ppm", "tga", "jp2")
each_format = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


def named(name: str) -> Format:
    format = format_by_name(name)
    assert format is not None
    return format


@pytest.fixture
def picture(samples: np.ndarray) -> Picture:
    return Picture(samples)


# What is written


@each_format
def test_a_picture_comes_back_as_it_was_written(format: Format, picture: Picture, tmp_path: Path) -> None:
    target = tmp_path / f"picture{format.suffixes[0]}"
    write_picture(picture, target, format)
    again = read_picture(target)
    assert (again.format, again.depth, again.alpha, again.notes) == (format.name, 8, None, ())
    difference = np.abs(again.pixels.astype(int) - picture.pixels)
    if format.name in LOSSLESS:
        assert difference.max() == 0
    else:
        assert difference.mean() < 4


@each_format
def test_grey_stays_grey(format: Format, samples: np.ndarray) -> None:
    grey = np.ascontiguousarray(samples[..., :1])
    again = read_picture(encode_picture(Picture(grey), format))
    assert again.pixels.shape == (*grey.shape[:2], 1 if format.grey else 3)
    assert again.alpha is None
    difference = np.abs(again.pixels.astype(int) - grey)
    if format.name in (*LOSSLESS, "gif"):
        assert difference.max() == 0
    else:
        assert difference.mean() < 4


@each_format
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_is_kept_or_laid_on_white(format: Format, channels: int, samples: np.ndarray, alpha: np.ndarray) -> None:
    pixels = np.ascontiguousarray(samples[..., :channels])
    again = read_picture(encode_picture(Picture(pixels, alpha), format))
    assert (again.alpha is not None) == format.alpha
    if format.name in ("png", "tiff", "tga", "jp2"):
        assert (again.pixels == pixels).all()
        assert (again.alpha == alpha).all()
    elif format.name in ("bmp", "ppm"):
        cover = alpha[..., None] / 255
        assert np.abs(again.pixels - (pixels * cover + 255 * (1 - cover))).max() <= 0.5
    elif format.name in ("webp", "avif"):
        assert np.abs(again.alpha.astype(int) - alpha).mean() < 6  # noise is the worst case


@each_format
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_kept_where_the_format_holds_them(
    format: Format, channels: int, deep_samples: np.ndarray
) -> None:
    pixels = np.ascontiguousarray(deep_samples[..., :channels])
    again = read_picture(encode_picture(Picture(pixels, depth=16), format))
    assert again.depth == (16 if 16 in format.depths else 8)
    if format.name in ("png", "tiff", "ppm"):
        assert (again.pixels == pixels).all()
    elif format.name in LOSSLESS:
        assert (again.pixels == np.rint(pixels / 257)).all()


def test_sixteen_bits_with_alpha_are_kept(deep_samples: np.ndarray) -> None:
    alpha = np.ascontiguousarray(deep_samples[::-1, :, 0])
    for name in ("png", "tiff"):
        again = read_picture(encode_picture(Picture(deep_samples, alpha, depth=16), named(name)))
        assert (again.pixels == deep_samples).all()
        assert (again.alpha == alpha).all()


def test_a_deep_avif_keeps_white_and_twelve_bits() -> None:
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)
    pixels = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (32, 64, 3)))
    again = read_picture(encode_picture(Picture(pixels, depth=16), named("avif"), quality=100))
    assert (again.pixels[:, -1] == 65_535).all()
    assert (again.pixels[:, 0] == 0).all()
    assert np.abs(again.pixels.astype(int) - pixels).max() < 64  # a quarter of an 8-bit level


def test_eight_bits_of_deeper_pixels_are_rounded(samples: np.ndarray) -> None:
    deep = samples.astype(np.uint16) * 257
    for offset in (-128, 0, 128):
        shifted = (deep.astype(int) + offset).clip(0, 65_535).astype(np.uint16)
        assert (read_picture(encode_picture(Picture(shifted, depth=8), named("png"))).pixels == samples).all()


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jp2"])
def test_quality_trades_bytes_for_likeness(name: str, picture: Picture) -> None:
    sizes, errors = [], []
    for quality in (20, 60, 95):
        content = encode_picture(picture, named(name), quality=quality)
        sizes.append(len(content))
        errors.append(np.abs(read_picture(content).pixels.astype(int) - picture.pixels).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert sizes[0] < sizes[2]


def test_the_ending_chooses_the_kind_of_jpeg_2000(picture: Picture, tmp_path: Path) -> None:
    for suffix, start in ((".jp2", b"\0\0\0\x0cjP  "), (".j2k", b"\xff\x4f\xff\x51")):
        write_picture(picture, tmp_path / f"a{suffix}", named("jp2"))
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(start)


@each_format
def test_encoded_bytes_are_those_of_the_file(format: Format, picture: Picture, tmp_path: Path) -> None:
    described = replace(picture, metadata=Metadata(xmp=b"<x:xmpmeta/>", pixels_per_mm=(11.8, 11.8)))
    target = tmp_path / f"picture{format.suffixes[0]}"
    write_picture(described, target, format)
    assert target.read_bytes() == encode_picture(described, format)


def test_stored_depth_is_what_the_format_holds(picture: Picture) -> None:
    assert stored_depth(replace(picture, depth=16), named("png")) == 16
    assert stored_depth(replace(picture, depth=16), named("jpeg")) == 8
    assert stored_depth(picture, named("png")) == 8


@each_format
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (17, 1)])
def test_tiny_pictures_are_written(format: Format, shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, np.uint8)
    again = read_picture(encode_picture(Picture(pixels), format))
    assert again.pixels.shape == pixels.shape
    assert np.abs(again.pixels.astype(int) - 200).max() <= 3


# Where it is written


@pytest.mark.parametrize(
    "name",
    ["a b.png", "a[1].png", "a[strip].png", "line\nbreak.png", "\N{GRINNING FACE}.png", "%d.png"]
    + [os.fsdecode(b"\xff\xfe.png"), "x" * 250 + ".png"],
)
@pytest.mark.parametrize("format", ["png", "bmp"])
def test_any_name_is_written(name: str, format: str, picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / name, named(format))
    assert os.listdir(tmp_path) == [name]
    assert (read_picture(tmp_path / name).pixels == picture.pixels).all()


def test_missing_folders_are_made(picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / "a" / "b" / "c.png", named("png"))
    assert (read_picture(tmp_path / "a" / "b" / "c.png").pixels == picture.pixels).all()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(umask: int, picture: Picture, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_picture(picture, tmp_path / "a.png", named("png"))
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_existing_file_is_replaced_and_never_written_into(picture: Picture, tmp_path: Path) -> None:
    target, other_name = tmp_path / "a.png", tmp_path / "b.png"
    target.write_bytes(b"old" * 100_000)
    os.link(target, other_name)
    write_picture(picture, target, named("png"))
    assert (read_picture(target).pixels == picture.pixels).all()
    assert other_name.read_bytes() == b"old" * 100_000


def test_a_link_stays_a_link(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    target = tmp_path / "a.png"
    target.symlink_to(tmp_path / "store" / "b.png")
    write_picture(picture, target, named("png"))
    assert target.is_symlink()
    assert (read_picture(tmp_path / "store" / "b.png").pixels == picture.pixels).all()


# What goes wrong


def refusals(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    return {
        "below a file": (tmp_path / "file" / "a.png", "exists|Not a directory"),
        "deep below a file": (tmp_path / "file" / "b" / "a.png", "Not a directory"),
        "name too long": (tmp_path / ("x" * 300 + ".png"), "File name too long"),
        "a folder": (tmp_path / "folder.png", "there is a folder of this name"),
        "a pipe": (tmp_path / "pipe.png", "it is no ordinary file"),
        "no name": (tmp_path / "a\0b.png", "no file can have this name"),
    }


@pytest.mark.parametrize(
    "case", ["below a file", "deep below a file", "name too long", "a folder", "a pipe", "no name"]
)
def test_a_place_that_cannot_be_written_is_refused_in_one_line(case: str, picture: Picture, tmp_path: Path) -> None:
    target, reason = refusals(tmp_path)[case]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnwritablePictureError, match=reason) as caught:
        write_picture(picture, target, named("png"))
    assert caught.value.message.startswith("cannot write ")
    assert caught.value.message.isprintable()
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB with a file on it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk]).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


@each_format
def test_a_full_disk_is_named_and_leaves_nothing_behind(
    format: Format, small_disk: Path, deep_samples: np.ndarray
) -> None:
    noise = np.tile((deep_samples >> 8).astype(np.uint8), (8, 8, 1))
    noise ^= np.random.default_rng(1).integers(0, 256, noise.shape, dtype=np.uint8)
    target = small_disk / f"a{format.suffixes[0]}"
    target.write_bytes(b"mine")
    with pytest.raises(UnwritablePictureError, match="No space left on device"):
        write_picture(Picture(noise), target, format, quality=100)
    assert os.listdir(small_disk) == [target.name]
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@each_format
def test_a_failure_at_the_end_leaves_the_old_file(
    format: Format, failing: str, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    monkeypatch.setattr(writing.os, failing, fail)
    with pytest.raises(UnwritablePictureError, match="No space left on device"):
        write_picture(picture, target, format)
    assert os.listdir(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"mine"


def test_an_interruption_leaves_the_old_file(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        assert len(os.listdir(tmp_path)) == 2
        raise KeyboardInterrupt

    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    monkeypatch.setattr(writing.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_picture(picture, target, named("png"))
    assert os.listdir(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"mine"


LIMITED = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "gif": 65_535, "tga": 65_535}


@pytest.mark.parametrize("name", LIMITED)
def test_the_largest_side_is_written_and_a_larger_one_refused(name: str, tmp_path: Path) -> None:
    format, side = named(name), LIMITED[name]
    largest = Picture(np.zeros((1, side, 1), np.uint8))
    assert read_picture(encode_picture(largest, format)).width == side
    larger = Picture(np.zeros((side + 1, 1, 1), np.uint8))
    with pytest.raises(UnwritablePictureError, match=f"1x{side + 1} is more than the {side:,} pixels") as caught:
        write_picture(larger, tmp_path / "folder" / "a", format)
    assert "--format" in caught.value.hint
    assert os.listdir(tmp_path) == []
    with pytest.raises(UnwritablePictureError):
        encode_picture(larger, format)


def test_a_limit_that_only_the_encoder_knows_is_an_error_too(picture: Picture, tmp_path: Path) -> None:
    unlimited = replace(named("webp"), max_side=None)
    wide = Picture(np.zeros((1, 20_000, 3), np.uint8))
    with pytest.raises(UnwritablePictureError, match="cannot write"):
        write_picture(wide, tmp_path / "a.webp", unlimited)
    with pytest.raises(UnwritablePictureError, match="cannot encode the picture"):
        encode_picture(wide, unlimited)
    assert os.listdir(tmp_path) == []


def test_sizes_within_the_limit_pass() -> None:
    for format in FORMATS:
        check_size(16_383, 16_383, format)


# The formats themselves


def test_endings_and_names_lead_to_formats() -> None:
    assert format_of_path("A/B.JPG") is named("jpeg") is named("JPG")
    assert format_of_path(Path("x.tif")) is named("tiff") is named("TIF")
    assert format_of_path("x.pgm") is named("ppm")
    assert format_of_path("x.txt") is format_of_path("png") is format_by_name("bitmap") is None


@each_format
def test_other_programs_can_read_what_is_written(format: Format, picture: Picture) -> None:
    with Image.open(io.BytesIO(encode_picture(picture, format))) as image:
        assert image.size == (60, 40)
        shown = np.asarray(image.convert("RGB"), int)
    assert np.abs(shown - picture.pixels).mean() < 4


def test_nothing_of_the_machine_is_written(picture: Picture) -> None:
    content: Any = encode_picture(picture, named("png"))
    assert b"tEXt" not in content
    assert b"eXIf" not in content
