from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from restore_cli.batch.claims import SECONDS_TO_SIGN, _own_host, claim_on, claimed
from restore_cli.batch.leftovers import remove_leftovers
from restore_cli.errors import ClaimedError, ForeignClaimError, UnwritablePictureError
from restore_cli.files.replacing import TEMPORARY_PREFIX, _open_with_name, temporary_beside

HOLD = """
import sys, time
from pathlib import Path
from restore_cli.batch.claims import claimed
from restore_cli.files.replacing import _open_with_name, temporary_beside
target = Path(sys.argv[1])
with claimed(target):
    descriptor = _open_with_name(temporary_beside(target))
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that has `a.png` claimed, and a temporary file beside it open."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "a.png")], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_claim_keeps_others_away_and_vanishes(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folders" / "a.png"
    with claimed(target):
        with pytest.raises(ClaimedError, match="in hand"), claimed(target):
            pass
        with claimed(target.with_name("b.png")):
            pass
        target.write_bytes(b"whole")
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]
    with claimed(target):
        pass


def test_folders_that_stay_empty_go_again(tmp_path: Path) -> None:
    with claimed(tmp_path / "new" / "folders" / "a.png"):
        assert (tmp_path / "new" / "folders").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_another_process_is_noticed_and_so_is_its_death(other: subprocess.Popen[str], tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with pytest.raises(ClaimedError), claimed(target):
        pass
    other.kill()
    other.wait()
    assert claim_on(target).exists()
    with claimed(target):
        pass
    assert not claim_on(target).exists()


def test_a_claim_of_another_machine_tells_how_to_end_it(tmp_path: Path) -> None:
    claim = claim_on(tmp_path / "a.png")
    claim.write_text(f"1\nnot-{socket.gethostname()}\n")
    with pytest.raises(ForeignClaimError) as caught, claimed(tmp_path / "a.png"):
        pass
    assert f"not-{socket.gethostname()}" in caught.value.message
    assert str(claim) in caught.value.hint


def test_a_claim_of_another_container_is_not_of_this_machine(tmp_path: Path) -> None:
    claim = claim_on(tmp_path / "a.png")
    claim.write_text(f"1\n{socket.gethostname()}?pidns-1\n")  # the number of no namespace
    with pytest.raises(ForeignClaimError) as caught, claimed(tmp_path / "a.png"):
        pass
    assert caught.value.message == f"another run has it in hand, on {socket.gethostname()}"


def test_a_claim_of_a_machine_whose_name_is_not_ascii_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "b\xfcro")
    _own_host.cache_clear()
    try:
        with claimed(tmp_path / "a.png"):
            assert "\nb?c3?bcro" in claim_on(tmp_path / "a.png").read_text()
            with pytest.raises(ClaimedError) as caught, claimed(tmp_path / "a.png"):
                pass
    finally:
        _own_host.cache_clear()
    assert type(caught.value) is ClaimedError


def test_a_claim_without_a_name_is_nobodys_after_a_while(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    claim_on(target).touch()
    with pytest.raises(ClaimedError), claimed(target):
        pass
    remove_leftovers(tmp_path)
    assert claim_on(target).exists()
    long_ago = time.time() - SECONDS_TO_SIGN - 1
    os.utime(claim_on(target), (long_ago, long_ago))
    with claimed(target):
        pass
    claim_on(target).touch()
    os.utime(claim_on(target), (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert not claim_on(target).exists()


@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "link", "folder"])
def test_what_is_no_file_is_no_claim(kind: str, tmp_path: Path) -> None:
    claim = claim_on(tmp_path / "a.png")
    match kind:
        case "pipe":
            os.mkfifo(claim)
        case "device":
            claim.symlink_to("/dev/zero")
        case "link":
            claim.symlink_to(tmp_path / "nowhere")
        case "folder":
            claim.mkdir()
    with pytest.raises(UnwritablePictureError, match="is no ordinary file") as caught, claimed(tmp_path / "a.png"):
        pass
    assert caught.value.message.startswith(f"cannot write {tmp_path / 'a.png'}: {claim} ")
    assert caught.value.hint == "delete it"
    remove_leftovers(tmp_path)
    assert os.path.lexists(claim)


@pytest.mark.parametrize("name", ["a" * 255, "a\0b.png"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    if "\0" in name:
        with pytest.raises(UnwritablePictureError, match="no file can have this name"), claimed(tmp_path / name):
            pass
    else:
        with claimed(tmp_path / name):  # the claim's own name is short
            pass


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UnwritablePictureError, match="cannot write"), claimed(tmp_path / "file" / "a.png"):
        pass


def test_leftovers_of_the_living_stay_and_those_of_the_dead_go(other: subprocess.Popen[str], tmp_path: Path) -> None:
    (tmp_path / ".restore-me.txt").write_text("a file of the user's")
    (tmp_path / "picture.part").write_text("another one")
    before = sorted(tmp_path.iterdir())
    assert len(before) == 4
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    other.kill()
    other.wait()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".restore-me.txt", "picture.part"]


def test_a_file_that_is_being_written_has_the_prefix_by_which_it_is_known(tmp_path: Path) -> None:
    path = temporary_beside(tmp_path / "a.png")
    assert path.name.startswith(TEMPORARY_PREFIX)
    with open(_open_with_name(path), "wb"):
        remove_leftovers(tmp_path)
        assert path.exists()
    remove_leftovers(tmp_path)
    assert not path.exists()


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []
