"""README.md and docs/ say what is true: their commands run, and their tables are the catalogue's."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from restore_cli.batch.manifest import Manifest
from restore_cli.card import ModelCard, Speed
from restore_cli.cards import CARDS
from restore_cli.catalog import default_upscaler
from restore_cli.cli.app import run
from restore_cli.tasks.steps import describe_keys

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}


def lines() -> list[tuple[str, str]]:
    """Return what is to be typed, and the comment on it."""
    blocks = [block for text in (README, *GUIDES.values()) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    parted = [line.partition(" #") for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys((command.strip(), comment.strip()) for command, _, comment in parted))


def commands() -> list[str]:
    return list(dict.fromkeys(command for command, _ in lines() if command.startswith("restore ")))


def results_of(command: str) -> list[str]:
    """Return the files and folders that the comment on a command says it makes."""
    return [name for line, comment in lines() if line == command for name in re.findall(r"\w+_\w+[./]\w*", comment)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the commands speak of, small."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "night").mkdir()
    (tmp_path / "textures").mkdir()
    (tmp_path / "large").mkdir()
    (tmp_path / "inbox").mkdir()
    shutil.copy(ROOT / "weights" / "darkir-s.safetensors", "own.safetensors")
    with Manifest(Path("batch.db")):
        pass
    with Image.open(ROOT / "docs" / "otter.png") as otter:
        small = otter.resize((60, 40))
        for name in ("photo.jpg", "photos/a.jpg", "night/a.jpg", "textures/a.dds", "scan.tif"):
            small.save(name)
        for name in ("out.png", "reference.png"):
            otter.save(name)
        for name in ("large/a.png", "large/b.png"):
            otter.resize((200, 200)).save(name)
    return tmp_path


@pytest.mark.parametrize("command", commands())
def test_commands_run(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command)[1:]
    if "<" in words:  # the pipe: a shell runs it below
        words = ["upscale", "photo.jpg", "--dry-run"]
    if words[:2] == ["models", "pull"]:  # fetching is tested against a server of our own
        words = ["models", "show", words[2]]
    if "--speed" in words or "--watch" in words:  # as for models pull; a watch has no end
        words.append("--dry-run")
    if words[0] == "upscale" and "photo.jpg" in words and "out.png" in words:
        Path("out.png").unlink()
    if "3840" in words or "1920x1080" in words:  # as written these are large; what is tried is the option
        words = [{"3840": "100", "1920x1080": "100x100"}.get(word, word) for word in words]
    if words[0] == "bench":
        words += ["--size", "24x16", "--runs", "1"]
    if words[0] == "train":  # a step on two pictures
        words = [
            {"60": "1", "2000": "1", "--minutes": "--steps", "photos/": "large/"}.get(word, word) for word in words
        ]
        words = words[: words.index(">")] if ">" in words else words
    assert run(words) == 0, capsys.readouterr().err
    for name in results_of(command):
        assert Path(name).exists(), name


def test_commands_are_found() -> None:
    assert len(commands()) > 10
    named = {name for command in commands() for name in results_of(command)}
    assert named == {"photo_x4.jpg", "scan_x4.dzi", "scan_x4_files/", "night_lowlight/"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="the lines are for a Unix shell")
def test_lines_for_the_shell_run(folder: Path) -> None:
    program = folder / "bin" / "restore"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m restore_cli "$@" --threads 1\n')
    program.chmod(0o755)
    surroundings = os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    for mark in (" | restore", " < "):  # in this order: the first would find what the second makes
        line = next(line for line, _ in lines() if mark in line)
        done = subprocess.run(["bash", "-c", line], env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    made = sorted(str(path) for path in Path("clean").rglob("*.jpg"))
    assert made == ["clean/night/a.jpg", "clean/photo.jpg", "clean/photos/a.jpg"]
    with Image.open("out.jpg") as result:
        assert (result.format, result.size) == ("JPEG", (240, 160))


def test_the_test_command_is_the_one_that_is_run_for_every_change() -> None:
    tests = "pip install '.[test]' && python -m pytest -n logical"
    assert f"```sh\n{tests}\n```" in README
    assert f"\n{tests}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_command_names_files_that_are_there() -> None:
    assert "pip install . && restore upscale docs/otter.png" in README


def test_links_lead_to_files_that_are_there() -> None:
    for place, text in [(ROOT, README), *((ROOT / "docs", guide) for guide in GUIDES.values())]:
        for path in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (place / path).exists(), path


def test_every_guide_is_named_in_the_readme() -> None:
    for guide in GUIDES:
        assert f"(docs/{guide}.md)" in README


def table(text: str, name: str) -> list[str]:
    """Return the lines of the table between the marks `name`."""
    return text.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0].strip().splitlines()


def row(card: ModelCard) -> str:
    size = f"{card.parameters / 1e6:.2f} M" if card.parameters else ""
    return f"| `{card.name}` | {card.task} | {card.scales} | {size} | {card.summary} | {card.licence} |"


def test_the_tables_of_models_are_the_catalogues() -> None:
    heading, _, *rows = table(GUIDES["models"], "models")
    assert heading == "| name | task | scale | parameters | made for | licence |"
    assert rows == [row(card) for card in CARDS]
    _, _, *rows = table(README, "built-in models")
    built_in = [card for card in CARDS if card.embedded]
    assert rows == [f"| `{card.name}` | {card.task} | {card.scales} | {card.summary} |" for card in built_in]


def test_the_table_of_speeds_is_the_catalogues() -> None:
    rows = re.findall(
        r"^\| `(fast|balanced|best)` \| (.*?) \| (.*?) \| (.*?) \| .* \|$", GUIDES["models"], re.MULTILINE
    )
    assert [row[0] for row in rows] == list(Speed)
    for speed, *cells in rows:
        for scale, cell in zip((2, 3, 4), cells, strict=True):
            card = default_upscaler(scale, Speed(speed))
            assert cell == f"`{card.name}`" + (", reduced" if card.scale > scale and not card.continuous else "")


def test_keys_of_steps_are_those_that_are_read() -> None:
    assert describe_keys() in " ".join(GUIDES["tasks"].split())


def test_exit_codes_are_those_of_the_errors() -> None:
    from restore_cli import errors

    codes = {
        cls.exit_code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.RestoreError)
    }
    stated = re.search(r"Exit codes: (.*?)\.\n", GUIDES["batches"], flags=re.DOTALL)
    assert stated is not None
    assert codes | {0, 130} == {int(number) for number in re.findall(r"\b(\d+)\b", stated[1])}


def test_weights_are_described() -> None:
    cards = (ROOT / "weights" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "weights").glob("*.safetensors"):
        assert f"## {path.name}" in cards
