"""`--manifest` and `restore status`, as a user calls them."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_cli.cli.app import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `photos` with a picture and a file that is none; the current folder is above it."""
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (12, 10), "teal").save(photos / "a.png")
    (photos / "b.png").write_bytes(b"no picture")
    return photos


def restore(*options: str) -> int:
    return run(["denoise", "photos", "-o", "out", "--manifest", "batch.db", *options])


def test_a_batch_is_gone_on_with(folder: Path, capsys: Capture) -> None:
    assert restore() == 1
    assert restore("--json") == 1
    captured = capsys.readouterr()
    outcomes = {record["source"]: record["status"] for record in map(json.loads, captured.out.splitlines())}
    assert outcomes == {"photos/a.png": "skipped", "photos/b.png": "failed"}
    assert "it failed before" in captured.err
    Image.new("RGB", (9, 8)).save(folder / "b.png")
    assert restore("-q") == 0
    assert run(["status", "batch.db", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["done"], found["failed"], found["left"], found["failures"]) == (2, 0, 0, [])


def test_other_options_replace_a_result(folder: Path) -> None:
    (folder / "b.png").unlink()
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    contents = []
    for options in ([], [], ["--strength", "0"]):
        assert restore(*options) == 0
        contents.append((Path("out") / "a.png").read_bytes())
    assert contents[0] == contents[1] != contents[2]
    for options in (["--format", "webp"], ["--format", "webp", "--strength", "0"]):
        assert restore(*options) == 0
        contents.append((Path("out") / "a.webp").read_bytes())
    assert contents[3] != contents[4]


def test_each_option_that_changes_a_result_has_it_made_again(folder: Path, capsys: Capture) -> None:
    Image.new("RGB", (12, 10), "teal").save("a.jpg")
    command = ["upscale", "a.jpg", "-o", "large.jpg", "--manifest", "batch.db"]

    def is_planned(*options: str) -> bool:
        assert run([*command, *options, "--dry-run"]) == 0
        plan = capsys.readouterr().out
        assert ("(restore, 12x10 to " in plan) != ("(skip, it was done with these settings before" in plan)
        return "(restore, " in plan

    assert run([*command, "-q"]) == 0
    for same in ([], ["--tile", "64"], ["--threads", "1"], ["--workers", "2"]):
        assert not is_planned(*same), same
    for other in (
        ["--quality", "50"],
        ["--strip-metadata"],
        ["--model", "safmn-x4"],
        ["--tta"],
        ["--precision", "fp32"],
        ["--strength", "0.5"],
        ["--scale", "2"],
    ):
        assert is_planned(*other), other


def test_names_are_told_in_one_line(folder: Path, capsys: Capture) -> None:
    (folder / "new\nline \x1b[31m.png").write_bytes(b"no picture")
    assert restore() == 1
    with closing(sqlite3.connect("batch.db")) as database, database:
        database.execute("UPDATE pictures SET reason = 'two\nlines \x1b[31m' WHERE source LIKE '%b.png'")
    capsys.readouterr()
    assert run(["status", "batch.db"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)


def test_what_is_said_of_a_batch(folder: Path, capsys: Capture) -> None:
    restore()
    capsys.readouterr()
    assert run(["status", "batch.db"]) == 0
    first, failure = capsys.readouterr().out.splitlines()
    assert first == "1 done, 0 skipped, 1 failed, 0 left"
    assert failure.split("\t")[:2] == ["failed", str(folder / "b.png")]
    assert run(["status", "batch.db", "--json"]) == 0
    (failed,) = json.loads(capsys.readouterr().out)["failures"]
    assert failed["source"] == str(folder / "b.png")
    assert "cannot read photos/b.png" in failed["reason"]


def test_a_result_that_was_emptied_is_made_again(folder: Path) -> None:
    (folder / "b.png").unlink()
    assert restore() == 0
    result = Path("out") / "a.png"
    result.write_bytes(b"")
    assert restore() == 0
    assert result.stat().st_size > 0


def test_a_batch_that_stands_still_is_seen(folder: Path, capsys: Capture) -> None:
    restore()
    capsys.readouterr()
    with closing(sqlite3.connect("batch.db")) as database, database:
        database.execute("UPDATE pictures SET ended = ended - 7200")
        database.execute("INSERT INTO pictures (source, status) VALUES ('c.png', 'left')")
    assert run(["status", "batch.db"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "1 done, 0 skipped, 1 failed, 1 left"
    assert re.fullmatch(r"the last one ended 2:\d\d:\d\d ago", second)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "nosuch"], "there is no manifest nosuch"),
        (["status", "photos/b.png"], "cannot use the manifest photos/b.png"),
        (["denoise", "photos", "--manifest", "photos/b.png"], "the manifest photos/b.png is one of the pictures"),
        (["denoise", "photos", "--retry-failed"], "does not know what failed"),
    ],
)
def test_wrong_requests_get_one_line(arguments: list[str], words: str, folder: Path, capsys: Capture) -> None:
    assert run(arguments) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert words in first
    assert len(rest) <= 1
