from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restore_cli.batch.leftovers import remove_leftovers
from restore_cli.errors import FullDiskError, UnwritablePictureError
from restore_cli.picture.formats import FORMATS, Format, format_by_name
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import check_size, encode_picture, write_picture

each_format = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


@pytest.fixture
def picture(samples: np.ndarray) -> Picture:
    return Picture(samples)


# Where it is written


@pytest.mark.parametrize(
    "name",
    [
        *("a b.png", "a[1].png", "a[strip].png", "line\nbreak.png", "%d.png", "x" * 250 + ".png"),
        *("\N{GRINNING FACE}.png", os.fsdecode(b"\xff\xfe.png")),
    ],
)
@pytest.mark.parametrize("format", ["png", "bmp"])
def test_any_name_is_written(name: str, format: str, picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / name, format_by_name(format))
    assert os.listdir(tmp_path) == [name]
    assert (read_picture(tmp_path / name).pixels == picture.pixels).all()


def test_missing_folders_are_made(picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / "a" / "b" / "c.png", format_by_name("png"))
    assert (read_picture(tmp_path / "a" / "b" / "c.png").pixels == picture.pixels).all()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(umask: int, picture: Picture, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_picture(picture, tmp_path / "a.png", format_by_name("png"))
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_existing_file_is_replaced_and_never_written_into(picture: Picture, tmp_path: Path) -> None:
    target, other_name = tmp_path / "a.png", tmp_path / "b.png"
    target.write_bytes(b"old" * 100_000)
    os.link(target, other_name)
    write_picture(picture, target, format_by_name("png"))
    assert (read_picture(target).pixels == picture.pixels).all()
    assert other_name.read_bytes() == b"old" * 100_000


def test_a_link_stays_a_link(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    target = tmp_path / "a.png"
    target.symlink_to(tmp_path / "store" / "b.png")
    write_picture(picture, target, format_by_name("png"))
    assert target.is_symlink()
    assert (read_picture(tmp_path / "store" / "b.png").pixels == picture.pixels).all()


@pytest.mark.parametrize("name", ["bmp", "ppm", "tga", "jp2", "png"])
def test_all_of_a_file_is_on_the_disk_before_it_takes_its_place(
    name: str, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced, sync = tmp_path / "a", [], os.fsync

    def look(descriptor: int) -> None:
        assert not target.exists()
        synced.append(os.fstat(descriptor).st_size)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_picture(picture, target, format_by_name(name))
    assert synced == [target.stat().st_size]


def test_a_file_is_no_leftover_once_it_has_a_name(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def clean_up(*arguments: Any, **options: Any) -> None:
        remove_leftovers(tmp_path)  # as another run does
        replace(*arguments, **options)

    monkeypatch.setattr(os, "replace", clean_up)
    write_picture(picture, tmp_path / "a.png", format_by_name("png"))
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_anew(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    locked: list[int] = []

    def clean_first(descriptor: int, how: int) -> None:
        if not locked:
            (temporary,) = tmp_path.iterdir()
            temporary.unlink()
        locked.append(descriptor)

    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(fcntl, "flock", clean_first)
    write_picture(picture, tmp_path / "a.png", format_by_name("png"))
    assert len(locked) == 2
    assert os.listdir(tmp_path) == ["a.png"]


# What goes wrong


def refusals(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    return {
        "below a file": (tmp_path / "file" / "a.png", "file is no folder"),
        "deep below a file": (tmp_path / "file" / "b" / "a.png", "file is no folder"),
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
        write_picture(picture, target, format_by_name("png"))
    assert caught.value.message.startswith("cannot write ")
    assert caught.value.message.isprintable()
    assert (caught.value.hint == "name another place with -o") == (case != "no name")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_bytes() == b"mine"


FILL_DISK = """
import sys, numpy as np
from pathlib import Path
from restore_cli.errors import FullDiskError
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.picture import Picture
from restore_cli.picture.writing import writing

disk, name, pixels, rows = sys.argv[1:]
pixels, rows = np.load(pixels), int(rows)
format = format_by_name(name)
target = Path(disk, f"a{format.suffixes[0]}")
target.write_bytes(b"mine")
try:
    with writing(target, *pixels.shape[:2], format, quality=100) as add:
        for top in range(0, len(pixels), rows):
            add(Picture(pixels[top : top + rows]))
except FullDiskError as error:
    print(error.message)
print(*(path.name for path in Path(disk).iterdir()), target.read_bytes())
"""
ON_SMALL_DISK = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs -o size=64k none "$1" && exec "$0" -c "$2" "$1" "$3" "$4" "$5"',
]
"""Runs Python on a disk of 64 KiB that is mounted for that process alone and is gone with it, however it ends."""


@each_format
@pytest.mark.parametrize("rows", [10_000, 50], ids=["whole", "in bands"])
def test_a_full_disk_is_named_and_leaves_nothing_behind(
    format: Format, rows: int, deep_samples: np.ndarray, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    noise = np.tile((deep_samples >> 8).astype(np.uint8), (8, 8, 1))
    noise ^= np.random.default_rng(1).integers(0, 256, noise.shape, dtype=np.uint8)
    np.save(tmp_path / "noise.npy", noise)
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount")
    arguments = [sys.executable, disk, FILL_DISK, format.name, tmp_path / "noise.npy", str(rows)]
    done = subprocess.run([*ON_SMALL_DISK, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    message, left = done.stdout.splitlines()
    assert "No space left on device" in message
    assert left == f"a{format.suffixes[0]} b'mine'"
    assert not list(disk.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("failing", ["fsync", "replace"])
@each_format
def test_a_failure_at_the_end_leaves_the_old_file(
    format: Format, failing: str, number: int, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(FullDiskError, match=os.strerror(number)):
        write_picture(picture, target, format)
    assert os.listdir(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"mine"


def test_an_interruption_leaves_the_old_file(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(temporary: Path, target: Path) -> None:
        assert len(os.listdir(tmp_path)) == 2
        raise KeyboardInterrupt

    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_picture(picture, target, format_by_name("png"))
    assert os.listdir(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"mine"


LIMITED = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "gif": 65_535, "tga": 65_535}


@pytest.mark.parametrize("name", LIMITED)
def test_the_largest_side_is_written_and_a_larger_one_refused(name: str, tmp_path: Path) -> None:
    format, side = format_by_name(name), LIMITED[name]
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
    unlimited = replace(format_by_name("webp"), max_side=None)
    wide = Picture(np.zeros((1, 20_000, 3), np.uint8))
    with pytest.raises(UnwritablePictureError, match="cannot write"):
        write_picture(wide, tmp_path / "a.webp", unlimited)
    with pytest.raises(UnwritablePictureError, match="cannot encode the picture"):
        encode_picture(wide, unlimited)
    assert os.listdir(tmp_path) == []


def test_sizes_within_the_limit_pass() -> None:
    for format in FORMATS:
        check_size(format, 16_383, 16_383)


def test_a_bitmap_of_more_than_four_gigabytes_is_refused() -> None:
    check_size(format_by_name("bmp"), 40_000, 30_000)
    with pytest.raises(
        UnwritablePictureError, match=r"40000x40000 is more than the .* pixels that BMP can hold"
    ) as caught:
        check_size(format_by_name("bmp"), 40_000, 40_000)
    assert "TIFF" in caught.value.hint
