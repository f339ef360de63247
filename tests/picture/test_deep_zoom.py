from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_cli.batch.leftovers import remove_leftovers
from restore_cli.errors import UnwritablePictureError
from restore_cli.files import replacing
from restore_cli.picture import deep_zoom
from restore_cli.picture.formats import DEEP_ZOOM
from restore_cli.picture.picture import Picture
from restore_cli.picture.writing import write_picture, writing


def temporary_of(target: Path) -> Path:
    """Return the folder in which a pyramid is made."""
    return replacing.mark_beside(target, replacing.TEMPORARY_SUFFIX)


@pytest.fixture
def picture() -> Picture:
    rows, columns = np.mgrid[0:300, 0:520]
    return Picture(np.stack([rows // 2, columns // 3, rows * 0 + 90], axis=2).astype(np.uint8))


def test_a_pyramid_holds_the_picture_at_every_size(picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM, quality=95)
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]
    text = (tmp_path / "a.dzi").read_text()
    assert re.findall(r'(?:Height|Width|TileSize|Overlap)="(\d+)"', text) == ["1", "254", "300", "520"]
    assert sorted(os.listdir(tmp_path / "a_files"), key=int) == [str(level) for level in range(11)]
    with Image.open(tmp_path / "a_files" / "10" / "0_0.jpg") as tile:
        assert tile.size == (255, 255)
        assert np.abs(np.asarray(tile).astype(int) - picture.pixels[:255, :255]).max() <= 6
    with Image.open(tmp_path / "a_files" / "10" / "2_1.jpg") as tile:
        assert tile.size == (520 - 508 + 1, 300 - 254 + 1)


def test_bands_make_the_same_tiles(picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    with writing(tmp_path / "b.dzi", 300, 520, DEEP_ZOOM) as add:
        for top in range(0, 300, 70):
            add(Picture(picture.pixels[top : top + 70]))
    whole, bands = (sorted((tmp_path / name).rglob("*.jpg")) for name in ("a_files", "b_files"))
    assert len(whole) == len(bands) > 10
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(whole, bands, strict=True))


def test_quality_is_that_of_the_tiles(picture: Picture, tmp_path: Path) -> None:
    sizes = []
    for quality in (20, 90):
        write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM, quality=quality)
        sizes.append((tmp_path / "a_files" / "10" / "0_0.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_an_old_pyramid_is_replaced_whole(picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    write_picture(Picture(picture.pixels[:20, :20]), tmp_path / "a.dzi", DEEP_ZOOM)
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]
    assert len(os.listdir(tmp_path / "a_files")) == 6


def test_what_a_killed_run_left_is_taken_over(picture: Picture, tmp_path: Path) -> None:
    (temporary_of(tmp_path / "a.dzi") / "picture_files" / "0").mkdir(parents=True)
    (tmp_path / "a_files" / "0").mkdir(parents=True)
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]
    assert len(os.listdir(tmp_path / "a_files")) == 11


@pytest.mark.parametrize("stem", ["a" * 240, "写" * 80], ids=["letters", "characters"])
def test_a_name_may_be_as_long_as_that_of_other_formats(stem: str, picture: Picture, tmp_path: Path) -> None:
    write_picture(picture, tmp_path / f"{stem}.dzi", DEEP_ZOOM)
    assert sorted(os.listdir(tmp_path)) == [f"{stem}.dzi", f"{stem}_files"]


def test_a_folder_of_something_else_is_not_touched(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "a_files").mkdir()
    (tmp_path / "a_files" / "mine.txt").write_text("mine")
    with pytest.raises(UnwritablePictureError, match="a_files holds something else than tiles"):
        write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    assert (tmp_path / "a_files" / "mine.txt").read_text() == "mine"
    assert os.listdir(tmp_path) == ["a_files"]


def test_a_link_in_place_of_the_tiles_is_not_touched(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "a_files").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UnwritablePictureError, match="a_files holds something else than tiles"):
        write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    assert os.listdir(tmp_path) == ["a_files"]


@pytest.mark.parametrize("name", ["2024/IMG_7.jpg", "2024/1_0.txt", "2024/05/1_0.jpg", "2024"])
def test_numbers_alone_make_no_tiles(name: str, picture: Picture, tmp_path: Path) -> None:
    mine = tmp_path / "trip_files" / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_bytes(b"mine")
    with pytest.raises(UnwritablePictureError, match="trip_files holds something else than tiles"):
        write_picture(picture, tmp_path / "trip.dzi", DEEP_ZOOM)
    assert mine.read_bytes() == b"mine"


def test_no_description_stands_while_tiles_change_places(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    move = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == tmp_path / "a_files":
            raise OSError(5, "Input/output error")
        return move(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UnwritablePictureError, match="Input/output error"):
        write_picture(Picture(picture.pixels[:9]), tmp_path / "a.dzi", DEEP_ZOOM)
    assert not (tmp_path / "a.dzi").exists()
    assert (temporary_of(tmp_path / "a.dzi") / "old_files").exists(), "what cannot be moved back is not removed"


@pytest.mark.parametrize("moved", ["picture_files", "picture.dzi"])
def test_the_old_one_comes_back_where_the_new_one_cannot_take_its_place(
    moved: str, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(move: Callable[..., object]) -> Callable[..., object]:
        def fail(path: Path, target: Path) -> object:
            if path.name == moved:
                raise OSError(5, "Input/output error")
            return move(path, target)

        return fail

    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(Path, "rename", failing(Path.rename))
    monkeypatch.setattr(os, "replace", failing(os.replace))
    with pytest.raises(UnwritablePictureError, match="Input/output error"):
        write_picture(Picture(picture.pixels[:9]), tmp_path / "a.dzi", DEEP_ZOOM)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]


def test_the_new_one_is_on_the_disk_before_it_takes_its_place(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(os, "sync", lambda: seen.append(sorted(os.listdir(tmp_path))))
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    assert seen == [[temporary_of(tmp_path / "a.dzi").name]]


def test_a_folder_that_a_killed_run_left_is_cleared_away(picture: Picture, tmp_path: Path) -> None:
    temporary = temporary_of(tmp_path / "a.dzi")
    with writing(tmp_path / "a.dzi", 300, 520, DEEP_ZOOM) as add:
        remove_leftovers(tmp_path)  # as another worker does
        (temporary / "picture_files").mkdir()
        remove_leftovers(tmp_path)
        (temporary / "picture_files").rmdir()
        add(picture)
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]
    (temporary / "picture_files" / "0").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]


def test_a_failure_leaves_the_old_one(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    monkeypatch.setattr(deep_zoom, "encode", fail)
    with pytest.raises(UnwritablePictureError, match="No space left on device"):
        write_picture(Picture(picture.pixels[:9]), tmp_path / "a.dzi", DEEP_ZOOM)
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")} == before


def test_windows_is_given_time_to_let_go_of_tiles(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(picture, tmp_path / "a.dzi", DEEP_ZOOM)
    refused: set[Path] = set()
    move = Path.rename

    def refuse_once(path: Path, target: Path) -> Path:
        if path not in refused:
            refused.add(path)
            raise PermissionError(13, "Access is denied", str(path))
        return move(path, target)

    monkeypatch.setattr(Path, "rename", refuse_once)
    monkeypatch.setattr(replacing, "fcntl", None)
    monkeypatch.setattr(replacing, "PAUSES", (0.0,))
    write_picture(Picture(picture.pixels[:20, :20]), tmp_path / "a.dzi", DEEP_ZOOM)
    assert len(refused) == 2
    assert sorted(os.listdir(tmp_path)) == ["a.dzi", "a_files"]
    assert len(os.listdir(tmp_path / "a_files")) == 6
