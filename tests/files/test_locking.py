from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from restore_cli.files import locking
from restore_cli.files.locking import lock_on, locked

HOLD = """
import sys, time
from pathlib import Path
from restore_cli.files.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_others_away_and_vanishes(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folders" / "w.checkpoint"
    with locked(target):
        with pytest.raises(BlockingIOError), locked(target):
            pass
        with locked(target.with_name("other.checkpoint")):
            pass
        assert [path.name for path in target.parent.iterdir()] == [lock_on(target).name]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), locked(target):
        raise KeyError
    with locked(target):
        target.write_bytes(b"whole")
    assert list(target.parent.iterdir()) == [target]


def test_what_a_killed_process_leaves_stops_nobody(tmp_path: Path) -> None:
    target = tmp_path / "w.checkpoint"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), locked(target):
            pass
        process.kill()
    assert lock_on(target).exists()
    with locked(target):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_taken_away_meanwhile_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, flock = tmp_path / "w.checkpoint", locking.fcntl.flock

    def flock_late(descriptor: int, how: int) -> None:
        monkeypatch.setattr(locking.fcntl, "flock", flock)
        os.unlink(lock_on(target))
        flock(descriptor, how)

    monkeypatch.setattr(locking.fcntl, "flock", flock_late)
    with locked(target), pytest.raises(BlockingIOError), locked(target):
        pass


@pytest.mark.parametrize("has_locks", [False, True])
def test_nobody_is_kept_away_where_there_are_no_locks(
    has_locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if has_locks:  # but not on this file system
        monkeypatch.setattr(locking.fcntl, "flock", refuse)
    else:
        monkeypatch.setattr(locking, "fcntl", None)
    with locked(tmp_path / "w.checkpoint"), locked(tmp_path / "w.checkpoint"):
        pass
    assert list(tmp_path.iterdir()) == []
