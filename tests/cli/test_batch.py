"""Batches as a machine or a user ends them in the middle, in processes of their own; real network, tiny pictures."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are ended differently there")

Restore = Callable[..., subprocess.CompletedProcess[bytes]]
SIDE = 24


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of 60 tiny pictures in two folders."""
    for index in range(60):
        path = tmp_path / "many" / f"{index % 2}" / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((SIDE, SIDE, 3), 4 * index, np.uint8)).save(path)
    return tmp_path / "many"


def start(*arguments: str, here: Path) -> subprocess.Popen[bytes]:
    """Begin a run in `here` that leads a process group, as a shell begins it."""
    return subprocess.Popen(
        [sys.executable, "-m", "restore_cli", *arguments, "--threads", "1"],
        cwd=here,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # whoever runs the tests may ignore it
    )


def wait_for(condition: Callable[[], object], seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def results(folder: Path) -> list[Path]:
    """Return what lies in a folder, the hidden included; every picture in it must be whole."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in found:
        if not path.name.startswith("."):
            with Image.open(path) as image:
                image.load()
                assert image.size == (4 * SIDE, 4 * SIDE)
    return found


@pytest.mark.parametrize(("number", "times"), [("SIGINT", 1), ("SIGTERM", 1), ("SIGHUP", 1), ("SIGINT", 2)])
def test_signals_to_the_whole_group_leave_whole_files_and_exit_130(
    number: str, times: int, many: Path, tmp_path: Path
) -> None:
    with start("upscale", "many", "-o", "out", here=tmp_path) as process:
        wait_for(lambda: list(tmp_path.glob("out/*/*.png")))
        for _ in range(times):
            os.killpg(process.pid, signal.Signals[number])
            time.sleep(0.05)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=60) == 130
    written = results(tmp_path / "out")
    assert 0 < len(written) < 60
    assert not any(path.name.startswith(".") for path in written)
    done, left = map(int, re.findall(r"interrupted: (\d+) done, (\d+) left", errors)[0])
    assert done == len(written) if times == 1 else done <= len(written)
    assert done + left == 60


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="it is not told which processes a process has begun")
@pytest.mark.parametrize("pause", [0.0, 0.1, 0.3, 0.6])
def test_a_signal_while_workers_begin_leaves_no_traceback(pause: float, many: Path, tmp_path: Path) -> None:
    with start("upscale", "many", "-o", "out", "--workers", "2", here=tmp_path) as process:
        begun = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_for(lambda: len(begun.read_text().split()) > 1)  # the first looks after shared memory
        time.sleep(pause)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=60) == 130
    assert "Traceback" not in errors


def test_a_signal_that_is_ignored_stays_so(many: Path, tmp_path: Path) -> None:
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [sys.executable, "-m", "restore_cli", "upscale", "many", "-o", "out", "--threads", "1"]
    with subprocess.Popen(
        [*ignoring, *command], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        wait_for(lambda: list(tmp_path.glob("out/*/*.png")))
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert b"60 done" in process.stderr.read()
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("seed", range(int(os.environ.get("RESTORE_TEST_KILLS", "3"))))
def test_a_run_killed_at_any_moment_is_finished_by_the_next(seed: int, many: Path, tmp_path: Path) -> None:
    """The kill comes early, in the middle or late; RESTORE_TEST_KILLS asks for more moments."""
    moment = random.Random(seed).random()
    with start("upscale", "many", "-o", "out", "--workers", str(1 + seed % 2), here=tmp_path) as process:
        wait_for(lambda: len(list(tmp_path.glob("out/*/*.png"))) >= int(50 * moment))
        time.sleep(0.05 * moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = {path: path.stat().st_mtime_ns for path in results(tmp_path / "out") if not path.name.startswith(".")}
    with start("upscale", "many", "-o", "out", here=tmp_path) as process:
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=200) == 0, errors
    after = results(tmp_path / "out")
    assert [path.name for path in after] == [path.name for path in sorted(many.rglob("*.png"))]
    assert all(path.stat().st_mtime_ns == modified for path, modified in before.items())


def test_two_runs_on_one_folder_share_it(many: Path, tmp_path: Path) -> None:
    with (
        start("upscale", "many", "-o", "out", here=tmp_path) as one,
        start("upscale", "many", "-o", "out", here=tmp_path) as two,
    ):
        counts = []
        for process in (one, two):
            assert process.stderr is not None
            errors = process.stderr.read().decode()
            assert process.wait(timeout=200) == 0, errors
            counts.append(int(errors.split(" done")[0].split()[-1]))
    assert sum(counts) == 60
    assert len(results(tmp_path / "out")) == 60


def test_the_death_of_one_run_is_made_good_by_the_other(many: Path, tmp_path: Path) -> None:
    with (
        start("upscale", "many", "-o", "out", here=tmp_path) as one,
        start("upscale", "many", "-o", "out", here=tmp_path) as two,
    ):
        wait_for(lambda: len(list(tmp_path.glob("out/*/*.png"))) >= 10)
        os.kill(one.pid, signal.SIGKILL)
        assert two.stderr is not None
        errors = two.stderr.read().decode()
        assert two.wait(timeout=200) == 0, errors
    assert [path.name for path in results(tmp_path / "out")] == [path.name for path in sorted(many.rglob("*.png"))]


def test_a_full_disk_ends_the_run_with_the_reason(many: Path, tmp_path: Path) -> None:
    """The results go to a small file system of their own, in a namespace where no rights are needed to mount it."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    (tmp_path / "out").mkdir()
    program = (
        'mount -t tmpfs -o size=64k tmpfs out && { "$@"; code=$?; cp -r out kept; exit $code; }',
        "sh",
        sys.executable,
        *("-m", "restore_cli", "upscale", "many", "-o", "out", "--threads", "1"),
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", *program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    kept = results(tmp_path / "kept")
    assert 0 < len(kept) < 20
    assert f"{os.strerror(errno.ENOSPC)}" in done.stderr
    assert f"no other picture can be written either, {59 - len(kept)} left undone" in done.stderr
    assert f"{len(kept)} done, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_may_change_during_the_run(many: Path, tmp_path: Path) -> None:
    with start("upscale", "many", "-o", "out", here=tmp_path) as process:
        wait_for(lambda: list(tmp_path.glob("out/*/*.png")))
        (many / "1" / "59.png").unlink()
        (many / "1" / "57.png").write_bytes(b"")
        (many / "0" / "new.png").write_bytes((many / "0" / "00.png").read_bytes())
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=200) == 1
    assert "57.png: it is empty" in errors
    assert "59.png: No such file" in errors
    assert "58 done, 2 failed" in errors
    assert len(results(tmp_path / "out")) == 58


def test_a_folder_that_cannot_be_written_fails_in_words(restore: Restore, many: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("no folder")
    for place in ("out/", "out", "out/inner"):
        done = restore("upscale", "many", "-o", place, "--threads", "1")
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: out is no folder\n"), "before any work"
    done = restore("upscale", "many", "-o", "out/{stem}.png", "--threads", "1")
    assert done.returncode == 1
    assert done.stderr.count(b"error: cannot write") == 60
    assert b"Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_the_run_with_a_word(many: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m restore_cli denoise many -o out --json | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True)
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "done"
    assert done.stderr.startswith(b"error: nobody reads standard output any more\n")
    assert re.search(rb"\d+ done, \d+ left in ", done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_still_waits_for_its_picture(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "restore_cli", "denoise", "-", "-o", "x.png"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"\x89PNG")
        process.stdin.flush()
        wait_for(lambda: "libtorch_cpu" in Path(f"/proc/{process.pid}/maps").read_text())
        time.sleep(1)
        process.send_signal(number)
        assert process.wait(timeout=60) == 130
        assert b"Traceback" not in process.stderr.read()
    assert os.listdir(tmp_path) == []


def test_a_watched_folder_that_goes_ends_the_run_with_a_summary(many: Path, tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()
    for name in ("first.png", "second.png"):
        (tmp_path / "watched" / name).write_bytes(next(many.rglob("*.png")).read_bytes())
    with start("denoise", "watched", "-o", "out", "--watch", "--report", "r.html", here=tmp_path) as process:
        wait_for((tmp_path / "out" / "second.png").exists)
        shutil.rmtree(tmp_path / "watched")
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=100) == 1
    assert "which was watched, is gone" in errors
    assert "2 done in " in errors
    assert (tmp_path / "r.html").stat().st_size > 1000


def test_a_folder_is_watched_until_an_interrupt(many: Path, tmp_path: Path) -> None:
    watched, kept = tmp_path / "watched", sorted(many.rglob("*.png"))
    (watched / "in").mkdir(parents=True)
    (watched / "in" / "first.png").write_bytes(kept[0].read_bytes())
    (watched / "old.png").write_bytes(kept[0].read_bytes())
    out = tmp_path / "watched" / "out"  # which lies among the inputs, and is not read
    out.mkdir()
    for name in ("old.png", "new.png"):
        Image.new("RGB", (4 * SIDE, 4 * SIDE)).save(out / name)
        os.utime(out / name, (1000, 1000))
    mine = (out / "old.png").read_bytes()
    with start("upscale", "watched", "-o", "watched/out", "--watch", here=tmp_path) as process:
        wait_for((out / "in" / "first.png").exists)
        (watched / "later").mkdir()
        (watched / "later" / "second.png").write_bytes(kept[1].read_bytes())
        with (watched / "slow.png").open("wb") as file:
            file.write(kept[2].read_bytes()[:50])
            file.flush()
            time.sleep(0.5)
            file.write(kept[2].read_bytes()[50:])
        wait_for(lambda: (out / "later" / "second.png").exists() and (out / "slow.png").exists())
        before = (out / "in" / "first.png").read_bytes()
        (watched / "in" / "first.png").write_bytes(kept[40].read_bytes())
        wait_for(lambda: (out / "in" / "first.png").read_bytes() != before)
        for name in ("old.png", "new.png", "last.png"):
            (watched / name).write_bytes(kept[41].read_bytes())
            time.sleep(0.1)
        wait_for((out / "last.png").exists)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=60) == 130
    assert "interrupted: 5 done, 3 skipped in" in errors
    assert len(results(out)) == 6
    assert (out / "old.png").read_bytes() == (out / "new.png").read_bytes() == mine, "--overwrite was not asked for"


@pytest.mark.parametrize("arguments", [("nosuch",), ("many/0/00.png",), ("--from-file", "-")])
def test_only_folders_are_watched(arguments: tuple[str, ...], restore: Restore, many: Path) -> None:
    done = restore("upscale", *arguments, "--watch")
    assert done.returncode == 2
    assert b"error: " in done.stderr
    assert b"Traceback" not in done.stderr


ENDINGS = ("png", "jpg", "tif", "webp", "avif", "gif", "bmp", "ppm", "tga", "dds", "jp2")


def test_a_few_damaged_files_of_every_format_fail_alone_among_a_thousand(restore: Restore, tmp_path: Path) -> None:
    """Of each format 98 pictures are whole, one is cut and one is noise."""
    folder = tmp_path / "many"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, 500, np.uint8).tobytes()
    for ending in ENDINGS:
        Image.fromarray(np.full((SIDE, SIDE, 3), 90, np.uint8)).save(folder / f"00.{ending}")
        whole = (folder / f"00.{ending}").read_bytes()
        for index in range(1, 100):
            (folder / f"{index:02}.{ending}").write_bytes({33: whole[:40], 66: noise}.get(index, whole))
    done = restore("upscale", "many", "-o", "out/{stem}-{ext}.ppm", "--json", "--threads", "1")
    assert done.returncode == 1
    records = [json.loads(line) for line in done.stdout.splitlines()]
    failed = {record["source"] for record in records if record["status"] == "failed"}
    assert failed == {f"many/{index}.{ending}" for index in (33, 66) for ending in ENDINGS}
    assert sum(record["status"] == "done" for record in records) == 98 * len(ENDINGS)
    assert len(results(tmp_path / "out")) == 98 * len(ENDINGS)
    assert b"Traceback" not in done.stderr


def resident(process: int) -> int:
    """Return the bytes of a process that lie in memory."""
    fields = Path(f"/proc/{process}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured differently there")
def test_memory_stays_flat_over_many_pictures(tmp_path: Path) -> None:
    """RESTORE_TEST_FILES asks for more of them."""
    count = int(os.environ.get("RESTORE_TEST_FILES", "1000"))
    (tmp_path / "many").mkdir()
    for index in range(count):
        Image.fromarray(np.full((8, 8, 3), index % 256, np.uint8)).save(tmp_path / "many" / f"{index:05}.png")

    def written() -> int:
        return len(os.listdir(tmp_path / "out")) if (tmp_path / "out").exists() else 0

    with start("upscale", "many", "-o", "out", here=tmp_path) as process:
        memory = []
        for share in (0.3, 0.9):
            wait_for(lambda share=share: written() > share * count, 200 + count / 10)
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            memory.append(sum(resident(int(number)) for number in (*workers, process.pid)))
        process.communicate(timeout=200)
        assert process.returncode == 0
    print(f"{count} pictures: {[size >> 20 for size in memory]} MiB")
    assert memory[1] - memory[0] < 24 * 2**20


def test_a_batch_is_reported_on_a_page(restore: Restore, many: Path, tmp_path: Path) -> None:
    (many / "0" / "00.png").write_bytes(b"no picture")
    done = restore("upscale", "many/0", "-o", "out", "--report", "page.html", "--threads", "1")
    assert done.returncode == 1
    page = (tmp_path / "page.html").read_text()
    assert "restore upscale many/0 -o out --report page.html --threads 1" in page
    assert page.count("data:image/webp") >= 58
    assert "many/0/00.png" in page


def test_a_run_that_restored_nothing_leaves_a_page_as_it_is(restore: Restore, many: Path, tmp_path: Path) -> None:
    arguments = ("denoise", "many/0/00.png", "many/0/02.png", "-o", "out", "--report", "page.html")
    restore(*arguments)
    page = (tmp_path / "page.html").read_bytes()
    done = restore(*arguments)
    assert done.returncode == 0
    assert b"note: nothing was restored, so the page page.html is left as it is\n" in done.stderr
    assert (tmp_path / "page.html").read_bytes() == page
    restore(*arguments, "--overwrite")
    assert (tmp_path / "page.html").read_bytes() != page
    restore(*arguments[:-1], "new.html")
    assert "<dt>skipped</dt><dd>2</dd>" in (tmp_path / "new.html").read_text()


def test_a_run_in_which_all_failed_is_on_its_page(restore: Restore, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html> of an earlier run")
    assert restore("denoise", "nosuch.png", "--report", "page.html").returncode == 1
    assert "there is no file nosuch.png" in (tmp_path / "page.html").read_text()


def test_a_page_that_cannot_be_written_is_refused_before_any_work(restore: Restore, many: Path, tmp_path: Path) -> None:
    done = restore("upscale", "many", "-o", "out", "--report", str(many))
    assert done.returncode == 2
    assert b"error: the report" in done.stderr
    assert not (tmp_path / "out").exists()


def test_devices_are_spread_over_workers(restore: Restore, many: Path) -> None:
    done = restore("upscale", "many/0", "-o", "out", "--devices", "cpu, cpu", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["device"] for line in done.stdout.splitlines()} == {"cpu"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--devices", "cpu,"), 2, b"not a list of devices"),
        (("--devices", "cpu", "--device", "cpu"), 2, b"contradict"),
        (("--devices", "cpu,cuda:77"), 4, b"cuda:77 is not present"),
        (("--workers", "0"), 2, b"--workers"),
    ],
)
def test_devices_that_are_none_are_refused(
    arguments: tuple[str, ...], code: int, words: bytes, restore: Restore, many: Path
) -> None:
    done = restore("upscale", "many/0", "-o", "out", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert b"Traceback" not in done.stderr


def test_names_that_are_no_text_are_told_as_the_bytes_they_are(restore: Restore, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/bad\xff.png"
    try:
        Image.new("RGB", (4, 4)).save(os.fsdecode(name))
    except OSError:
        pytest.skip("this file system holds no such names")
    done = restore("upscale", os.fsdecode(name), "--dry-run")
    assert done.returncode == 0
    assert name + b" -> " in done.stdout


@pytest.mark.parametrize("buffer", ["", "1"])
def test_a_picture_for_standard_output_arrives_whole_or_is_told_of(buffer: str, many: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "restore_cli", "upscale", "many/0/00.png", "-o", "-", "--threads", "1"]
    environment = os.environ | {"PYTHONUNBUFFERED": buffer}
    with (tmp_path / "out.png").open("wb") as file:
        assert subprocess.run(command, cwd=tmp_path, stdout=file, env=environment).returncode == 0
    with Image.open(tmp_path / "out.png") as image:
        image.load()
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", *command]
    with (tmp_path / "cut.png").open("wb") as file:
        done = subprocess.run(limited, cwd=tmp_path, stdout=file, stderr=subprocess.PIPE, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: cannot write standard output: ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize(
    "arguments", [("models", "list"), ("upscale", "many", "--dry-run"), ("denoise", "many", "--json")]
)
def test_standard_output_that_is_full_is_told_in_a_line(arguments: tuple[str, ...], many: Path, tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "restore_cli", *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert "error: cannot write standard output: No space left on device" in lines
    assert b"Traceback" not in done.stderr
    assert ("1 done" in lines[-1]) == ("--json" in arguments), "what was done is told"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_log_that_cannot_be_written_ends_no_work(many: Path, tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "restore_cli", "upscale", "many/0", "-o", "out", "-v"],
            cwd=tmp_path,
            stderr=full,
            env=os.environ | {"PYTHONUNBUFFERED": ""},  # so that words are left to be written at the end
        )
    assert done.returncode == 0
    assert len(results(tmp_path / "out")) == 30


def test_a_file_that_is_taken_for_a_result_has_an_outcome(restore: Restore, many: Path, tmp_path: Path) -> None:
    (many / "0" / "00_x4.png").write_bytes((many / "0" / "00.png").read_bytes())
    for options in ((), ("--dry-run",)):
        done = restore("upscale", "many/0", "-o", "out", "--json", *options)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        (told,) = [record for record in records if record["source"] == "many/0/00_x4.png"]
        assert (told["status"], told["target"]) == ("skipped", None)
        assert "name it alone" in told["reason"]
        assert len(records) == 31
    assert b"30 done, 1 skipped" in restore("upscale", "many/0", "-o", "again").stderr


def test_names_are_shown_on_one_line_each(restore: Restore, many: Path, tmp_path: Path) -> None:
    (many / "0" / "a\x1b[31m\né.png").write_bytes((many / "0" / "00.png").read_bytes())
    shown = restore("upscale", "many/0", "--dry-run", PYTHONIOENCODING="ascii").stdout
    assert b"a\\x1b[31m\\n\\xe9.png -> " in shown
    assert shown.count(b"\n") == 31


def test_a_file_in_the_place_of_a_folder_is_told_as_that(restore: Restore, many: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0").touch()
    done = restore("upscale", "many", "-o", "out", "--dry-run")
    assert b"out/0: no folder" in done.stderr


def test_a_manifest_that_cannot_be_written_ends_the_run_with_a_summary(many: Path, tmp_path: Path) -> None:
    arguments = ["denoise", "many", "-o", "out", "--manifest", "m.db", "--report", "r.html"]
    with start(*arguments, here=tmp_path) as process:
        wait_for(lambda: list((tmp_path / "out").rglob("*.png")))
        database = sqlite3.connect(tmp_path / "m.db", isolation_level=None)
        database.execute("DROP TABLE pictures")
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(timeout=100) == 1
    assert "error: cannot use the manifest m.db: no such table" in errors
    assert "stopped: the manifest cannot be written" in errors
    assert " done in " in errors
    assert (tmp_path / "r.html").stat().st_size > 1000


def test_a_report_or_manifest_does_not_take_the_place_of_a_picture(restore: Restore, many: Path) -> None:
    for options in (
        ("--report", "out/0/00.png"),
        ("--manifest", "many/0/00.png"),
        ("--report", "x", "--manifest", "x"),
    ):
        done = restore("denoise", "many", "-o", "out", *options)
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: the ")
    assert not (many.parent / "out").exists()


def test_an_empty_name_is_refused_and_so_is_a_folder_that_is_gone(restore: Restore, tmp_path: Path) -> None:
    done = restore("denoise", "")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: an empty name names no picture\n")
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m restore_cli models list"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the current folder is gone\n")


def test_streams_that_are_closed_are_no_errors(many: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m restore_cli"
    for words in ("models list >&-", "denoise many/0/00.png -o out/ 2>&-", "status none <&- >&- 2>&-"):
        done = subprocess.run(["bash", "-c", f"{command} {words}"], cwd=tmp_path, stderr=subprocess.PIPE)
        assert done.stderr == b""
        assert done.returncode == (2 if words.startswith("status") else 0)
    assert (tmp_path / "out" / "00.png").exists()
    for words, stream in (
        ("many/0/00.png -o - >&-", "output"),
        ("many/0/00.png --json --dry-run >&-", "output"),
        ("--from-file - <&-", "input"),
    ):
        done = subprocess.run(["bash", "-c", f"{command} denoise {words}"], cwd=tmp_path, capture_output=True)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: standard {stream} is closed".encode())
