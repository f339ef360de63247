"""Watched folders: real files that come, grow, move and go."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from restore_cli.batch import watching
from restore_cli.batch.sources import Source
from restore_cli.batch.watching import FolderWatcher
from restore_cli.cli.interruption import interruption
from restore_cli.errors import RestoreError, UsageError

SETTLE = 0.3
"""Seconds; short, for the tests' sake."""
LONG = 20.0
"""Seconds in which what is waited for has come, however busy the machine is."""
QUIET = 1.2
"""Seconds in which what must not come would have come."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one picture in it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "old.jpg").write_bytes(b"old")
    return folder


@contextmanager
def told(folder: Path, **options: Any) -> Iterator[Callable[..., list[str]]]:
    """Watch a folder; what it returns waits until the files of these names, below it, were told, or for a while."""
    with FolderWatcher([folder], **{"settle": SETTLE} | options) as watch:
        batches = iter(watch)

        def wait(*names: str) -> list[str]:
            found: list[str] = []
            end = time.monotonic() + (LONG if names else QUIET)
            while time.monotonic() < end and not (names and set(names) <= set(found)):
                for source in next(batches):
                    assert source.root == folder
                    found.append(source.path.relative_to(folder).as_posix())
            return found

        yield wait


def test_only_what_is_new_is_told_and_once(photos: Path) -> None:
    with told(photos) as wait:
        assert wait() == []
        (photos / "new.jpg").write_bytes(b"new")
        assert wait("new.jpg") == ["new.jpg"]
        assert wait() == []


def test_pictures_of_kinds_that_are_not_read_are_told_apart(photos: Path) -> None:
    (photos / "old.PSD").touch()
    with FolderWatcher([photos], settle=SETTLE) as watch:
        batches = iter(watch)
        next(batches)
        (photos / "later").mkdir()
        for name in ("new.psd", "later/new.cr2", "old.PSD", ".hidden.psd", "new.txt"):
            (photos / name).write_bytes(b"new")
        end = time.monotonic() + LONG
        while time.monotonic() < end and len(watch.unread) < 2:
            assert next(batches) == []
        watch._search()
        assert sorted(watch.unread) == [photos / "later" / "new.cr2", photos / "new.psd"]


def test_a_caller_is_never_kept_waiting(photos: Path) -> None:
    with FolderWatcher([photos]) as watch:
        batches = iter(watch)
        began = time.monotonic()
        assert [next(batches) for _ in range(5)] == [[]] * 5
        assert time.monotonic() - began < 5


def test_a_file_that_grows_is_told_when_it_is_whole(photos: Path) -> None:
    def write() -> None:
        with (photos / "slow.jpg").open("wb") as file:
            for _ in range(20):
                file.write(b"part")
                file.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=write)
    with told(photos, settle=1.0) as wait:
        writer.start()
        assert wait("slow.jpg") == ["slow.jpg"]
        assert (photos / "slow.jpg").stat().st_size == 80
        assert wait() == []
    writer.join()


def test_what_is_renamed_into_place_is_told(photos: Path, tmp_path: Path) -> None:
    with told(photos) as wait:
        (photos / ".restore-1-ab.part").write_bytes(b"new")
        (photos / ".restore-1-ab.part").rename(photos / "here.png")
        (tmp_path / "elsewhere").write_bytes(b"new")
        (tmp_path / "elsewhere").rename(photos / "there.png")
        os.utime(photos / "there.png", (1, 1))
        assert sorted(wait("here.png", "there.png")) == ["here.png", "there.png"]


def test_what_changes_is_told_again(photos: Path) -> None:
    with told(photos) as wait:
        (photos / "a.jpg").write_bytes(b"first")
        assert wait("a.jpg") == ["a.jpg"]
        (photos / "a.jpg").write_bytes(b"second")
        (photos / "old.jpg").write_bytes(b"changed")
        assert sorted(wait("a.jpg", "old.jpg")) == ["a.jpg", "old.jpg"]
        (photos / "a.jpg").chmod(0o600)
        assert wait() == []


def test_what_goes_and_comes_back_is_told_again(photos: Path, tmp_path: Path) -> None:
    with told(photos) as wait:
        (photos / "old.jpg").rename(tmp_path / "old.jpg")
        assert wait() == []
        (tmp_path / "old.jpg").rename(photos / "old.jpg")
        assert wait("old.jpg") == ["old.jpg"]


def test_new_folders_are_watched_with_what_they_hold(photos: Path, tmp_path: Path) -> None:
    with told(photos) as wait:
        (photos / "made/deep").mkdir(parents=True)
        (photos / "made/deep/at once.jpg").write_bytes(b"new")
        (tmp_path / "moved/in").mkdir(parents=True)
        (tmp_path / "moved/in/a.jpg").write_bytes(b"new")
        (tmp_path / "moved").rename(photos / "moved")
        assert sorted(wait("made/deep/at once.jpg", "moved/in/a.jpg")) == ["made/deep/at once.jpg", "moved/in/a.jpg"]
        (photos / "made/deep/later.jpg").write_bytes(b"new")
        assert wait("made/deep/later.jpg") == ["made/deep/later.jpg"]


def test_folders_in_it_are_left_alone_unless_recursive(photos: Path) -> None:
    (photos / "inner").mkdir()
    with told(photos, recursive=False) as wait:
        (photos / "inner/a.jpg").write_bytes(b"new")
        (photos / "later").mkdir()
        (photos / "later/a.jpg").write_bytes(b"new")
        assert wait() == []
        (photos / "a.jpg").write_bytes(b"new")
        assert wait("a.jpg") == ["a.jpg"]


def test_hidden_temporary_and_other_files_are_passed_over(photos: Path) -> None:
    with told(photos) as wait:
        for name in (".hidden.jpg", ".restore-1-ab.part", "a.jpg.claim", "notes.txt", ".thumbs/a.jpg"):
            (photos / name).parent.mkdir(exist_ok=True)
            (photos / name).write_bytes(b"new")
        (photos / "folder.jpg").mkdir()
        (photos / "empty.jpg").touch()
        assert wait() == []
        (photos / "empty.jpg").write_bytes(b"no longer")
        assert wait("empty.jpg") == ["empty.jpg"]


def test_results_are_not_told(photos: Path) -> None:
    (photos / "out").mkdir()
    with told(photos, output=str(photos / "out"), passes_over=lambda path: path.stem.endswith("_x4")) as wait:
        (photos / "out/a.jpg").write_bytes(b"new")
        (photos / "out/deep").mkdir()
        (photos / "out/deep/a.jpg").write_bytes(b"new")
        (photos / "a_x4.jpg").write_bytes(b"new")
        assert wait() == []


def test_tiles_of_a_deep_zoom_picture_are_passed_over(photos: Path) -> None:
    (photos / "a.dzi").write_bytes(b"pyramid")
    with told(photos) as wait:
        (photos / "a_files/0").mkdir(parents=True)
        (photos / "a_files/0/0_0.jpg").write_bytes(b"new")
        assert wait() == []


def test_an_output_folder_that_is_made_later_is_not_read_either(photos: Path) -> None:
    with told(photos, output=str(photos / "out")) as wait:
        (photos / "out").mkdir()
        (photos / "out/a.jpg").write_bytes(b"new")
        assert wait() == []


def test_a_file_that_goes_before_it_is_whole_is_forgotten(photos: Path) -> None:
    with told(photos, settle=0.8) as wait:
        (photos / "a.jpg").write_bytes(b"new")
        time.sleep(0.2)
        (photos / "a.jpg").unlink()
        assert wait() == []


def test_nothing_is_lost_or_doubled_between_the_watch_and_the_plan(photos: Path) -> None:
    with FolderWatcher([photos], settle=SETTLE) as watch:
        (photos / "planned.jpg").write_bytes(b"new")
        (photos / "growing.jpg").write_bytes(b"half")
        watch.pass_over(photos.glob("*.jpg"))
        (photos / "growing.jpg").write_bytes(b"half and half")
        (photos / "late.jpg").write_bytes(b"new")
        found: list[str] = []
        end = time.monotonic() + LONG
        for sources in watch:
            found += [source.path.name for source in sources]
            if len(found) >= 2 or time.monotonic() > end:
                break
        assert sorted(found) == ["growing.jpg", "late.jpg"]


def test_a_name_that_is_not_utf8_stops_nothing(photos: Path) -> None:
    odd = os.path.join(os.fsencode(photos), b"\xff.jpg")
    with told(photos) as wait:
        with open(odd, "wb") as file:
            file.write(b"new")
        (photos / "a.jpg").write_bytes(b"new")
        assert sorted(wait("a.jpg", "\udcff.jpg")) == ["a.jpg", "\udcff.jpg"]
        (photos / "b.jpg").write_bytes(b"new")
        assert wait("b.jpg") == ["b.jpg"]


def test_what_no_one_told_of_is_found_by_searching(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SEARCH_PAUSE", 0.1)
    monkeypatch.setattr(watching.ChangeMonitor, "tell", lambda changes: time.sleep(0.05) or frozenset())
    with told(photos) as wait:
        (photos / "a.jpg").write_bytes(b"new")
        assert wait("a.jpg") == ["a.jpg"]


def test_polling(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    with told(photos) as wait:
        (photos / "inner").mkdir()
        (photos / "inner/a.jpg").write_bytes(b"new")
        assert wait("inner/a.jpg") == ["inner/a.jpg"]


def test_sources_are_named_as_the_user_named_the_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos.parent)
    (photos.parent / "link").symlink_to(photos, target_is_directory=True)
    with told(Path("link")) as wait:
        (photos / "a.jpg").write_bytes(b"new")
        assert wait("a.jpg") == ["a.jpg"]


def test_links_to_folders_are_not_followed(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (photos / "link").symlink_to(tmp_path / "other", target_is_directory=True)
    (photos / "round").symlink_to(photos, target_is_directory=True)
    with told(photos) as wait:
        (tmp_path / "other/a.jpg").write_bytes(b"new")
        (tmp_path / "more").mkdir()
        (tmp_path / "more/a.jpg").write_bytes(b"new")
        (photos / "later").symlink_to(tmp_path / "more", target_is_directory=True)
        (photos / "b.jpg").write_bytes(b"new")
        assert wait("b.jpg") == ["b.jpg"]
        assert wait() == []


def test_folders_within_each_other_tell_once(photos: Path) -> None:
    (photos / "inner").mkdir()
    with FolderWatcher([photos, photos / "inner"], settle=SETTLE) as watch:
        (photos / "inner/a.jpg").write_bytes(b"new")
        found: list[Source] = []
        end = time.monotonic() + LONG
        batches = iter(watch)
        while not found and time.monotonic() < end:
            found += next(batches)
        found += [source for _ in range(5) for source in next(batches)]
        assert found == [Source(photos / "inner/a.jpg", photos / "inner")]


def test_a_folder_that_is_replaced_is_watched_on(photos: Path, tmp_path: Path) -> None:
    with told(photos) as wait:
        (tmp_path / "fresh").mkdir()
        (tmp_path / "fresh/a.jpg").write_bytes(b"new")
        photos.rename(tmp_path / "aside")
        (tmp_path / "fresh").rename(photos)
        assert wait("a.jpg") == ["a.jpg"]
        (photos / "b.jpg").write_bytes(b"new")
        assert wait("b.jpg") == ["b.jpg"]


def test_a_folder_that_is_gone_ends_it(photos: Path) -> None:
    with told(photos) as wait:
        photos.rename(photos.with_name("elsewhere"))
        with pytest.raises(RestoreError, match=r"photos, which was watched, is gone"):
            wait()


def test_an_interruption_can_be_asked_for(photos: Path) -> None:
    with interruption() as interrupted, told(photos) as wait:
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        assert wait() == []
        timer.join()
        assert interrupted()
        (photos / "a.jpg").write_bytes(b"new")
        assert wait("a.jpg") == ["a.jpg"]


def test_what_is_no_folder_is_refused(photos: Path) -> None:
    with pytest.raises(UsageError, match="it is no folder"):
        FolderWatcher([photos / "old.jpg"])
    with pytest.raises(UsageError, match="it is no folder"):
        FolderWatcher([photos / "nosuch"])
