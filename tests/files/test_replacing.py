"""Files that take their place when they are whole; what Windows does is stood in for."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from restore_cli.batch.leftovers import remove_leftovers
from restore_cli.files import replacing as module
from restore_cli.files.replacing import (
    PAUSES,
    SECONDS_TO_REPLACE,
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    patiently,
    replacing,
    unwritable_folder,
)

replace = os.replace


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stand in for Windows: no locks, no files without a name, and pauses that are counted instead of waited for."""
    waited: list[float] = []
    monkeypatch.setattr(module, "fcntl", None)
    monkeypatch.setattr(module, "_open_without_name", lambda folder: None)
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def looked_at(times: int) -> Callable[[Path, Path], None]:
    """Return an `os.replace` that is refused so many times."""
    left = iter(range(times))

    def move(source: Path, target: Path) -> None:
        if next(left, None) is not None:
            raise PermissionError(13, "Access is denied", str(source))
        replace(source, target)

    return move


def test_a_file_that_somebody_looks_at_for_a_moment_takes_its_place(
    pauses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", looked_at(3))
    with replacing(tmp_path / "a.png") as file:
        file.write(b"whole")
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a.png"]
    assert pauses == list(PAUSES[:3])


def test_one_that_is_never_let_go_of_is_an_error_after_two_seconds(
    pauses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", looked_at(100))
    with pytest.raises(PermissionError, match="Access is denied"), replacing(tmp_path / "a.png") as file:
        file.write(b"whole")
    assert sum(pauses) == pytest.approx(2, abs=0.1)
    assert list(tmp_path.iterdir()) == []


def test_where_names_change_in_spite_of_those_who_look_nothing_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl")
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waited"))
    with pytest.raises(PermissionError):
        patiently(looked_at(1), tmp_path / "a", tmp_path / "b")


def test_a_private_file_stays_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl")
    target = tmp_path / "a.png"
    for open_without_name in (module._open_without_name, lambda folder: None):
        monkeypatch.setattr(module, "_open_without_name", open_without_name)
        target.write_bytes(b"old")
        target.chmod(0o640)
        before = target.stat()
        with replacing(target) as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o640  # from the first byte on
            file.write(b"new")
        after = target.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert target.read_bytes() == b"new"


def test_a_new_file_has_the_permissions_of_all_new_ones(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"")
    with replacing(tmp_path / "a.png") as file:
        file.write(b"new")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b.png").stat().st_mode


def test_without_locks_a_file_that_is_to_take_its_place_is_no_leftover(
    pauses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean_up(source: Path, target: Path) -> None:
        remove_leftovers(tmp_path)  # as another worker does
        replace(source, target)

    monkeypatch.setattr(os, "replace", clean_up)
    with replacing(tmp_path / "a.png") as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["a.png"]


def test_without_locks_an_old_temporary_file_is_a_leftover(pauses: list[float], tmp_path: Path) -> None:
    left = tmp_path / f"{TEMPORARY_PREFIX}1-2{TEMPORARY_SUFFIX}"
    left.touch()
    remove_leftovers(tmp_path)
    assert left.exists()
    long_ago = time.time() - SECONDS_TO_REPLACE - 1
    os.utime(left, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert not left.exists()


def test_a_drive_that_is_not_there_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.setattr(Path, "is_dir", lambda path: False)
    assert unwritable_folder(Path("/z/a.html")) == Path("/")
