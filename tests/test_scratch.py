"""Arrays in memory and in scratch files."""

from __future__ import annotations

import errno
import gc
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from restore_cli import scratch
from restore_cli.errors import UnwritablePictureError
from restore_cli.memory import resident_memory
from restore_cli.scratch import ArrayStorage, open_scratch, rows_in_bands, scratch_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTORE_TMPDIR", str(tmp_path))
    return tmp_path


def test_the_folder_is_the_users_or_the_systems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scratch_folder() == str(folder)
    monkeypatch.delenv("RESTORE_TMPDIR")
    assert scratch_folder() == tempfile.gettempdir()


def test_arrays_lie_in_memory_until_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    map_scratch = scratch.map_scratch
    monkeypatch.setattr(scratch, "map_scratch", lambda wanted: made.append(wanted) or map_scratch(wanted))
    storage = ArrayStorage(1000)
    storage.empty((20, 25), np.uint8)
    assert made == []
    assert storage.empty((20, 30), np.uint8).shape == (20, 30)
    assert made == [600]
    storage.empty((250,), np.uint16)
    assert made == [600]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.bool_])
def test_a_scratch_file_holds_what_is_written_and_has_no_name(dtype: type[np.generic], folder: Path) -> None:
    storage = ArrayStorage(0)
    array = storage.empty((300, 70, 3), dtype)
    values = np.random.default_rng(1).integers(0, 2, array.shape).astype(dtype)
    array[...] = values
    storage.release()
    assert (array == values).all()
    assert array.dtype == dtype
    assert os.listdir(folder) == [], "nothing is left behind, even if the process is killed"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory as Linux tells it")
def test_release_takes_a_scratch_file_out_of_memory(folder: Path) -> None:
    storage = ArrayStorage(0)
    array = storage.empty((64, 1 << 20), np.uint8)
    before = resident_memory()
    array[...] = 7
    assert resident_memory() > before + (32 << 20)
    storage.release()
    assert resident_memory() < before + (8 << 20)
    assert (array[::7] == 7).all()


def mappings_in(folder: Path) -> list[str]:
    """Return what Linux tells of files in `folder` that are mapped into memory; they take place there until the end."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if f" {folder}/" in line]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is mapped")
def test_the_disk_is_free_again_when_the_arrays_are_gone(folder: Path) -> None:
    array = ArrayStorage(0).empty((10,), np.uint8)
    view = array[3:]
    array[...] = 5
    assert len(mappings_in(folder)) == 1
    del array
    gc.collect()
    assert (view == 5).all()
    assert len(mappings_in(folder)) == 1
    del view
    gc.collect()
    assert mappings_in(folder) == []


def test_a_full_disk_is_told_before_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(UnwritablePictureError, match=r"a scratch file of .* does not fit .*: No space left") as caught:
        ArrayStorage(0).empty((10,), np.uint8)
    assert caught.value.exit_code == 1
    assert caught.value.hint == "set RESTORE_TMPDIR to a folder with more room"
    assert os.listdir(folder) == []


def test_a_folder_that_cannot_be_written_is_not_told_as_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTORE_TMPDIR", str(folder / "missing"))
    with pytest.raises(UnwritablePictureError, match=r"cannot make a scratch file .*missing: No such file") as caught:
        ArrayStorage(0).empty((10,), np.uint8)
    assert caught.value.hint == "set RESTORE_TMPDIR to a folder that can be written"


def test_a_system_without_a_folder_for_scratch_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.delenv("RESTORE_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", fail)
    for make in (lambda: ArrayStorage(0).empty((10,), np.uint8), open_scratch):
        with pytest.raises(UnwritablePictureError, match="no temporary folder can be written") as caught:
            make()
        assert caught.value.hint == "set RESTORE_TMPDIR to a folder that can be written"


def test_a_view_is_copied_where_there_is_memory() -> None:
    view = np.arange(12).reshape(3, 4).T
    assert ArrayStorage().settled(view).flags.c_contiguous
    assert ArrayStorage(0).settled(view) is view


def test_bands_cover_all_rows() -> None:
    assert rows_in_bands(5, 10, 20) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert rows_in_bands(2, 100, 20) == [slice(0, 1), slice(1, 2)]
