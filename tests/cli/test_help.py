"""How the help of commands is laid out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from restore_cli.cli.app import run
from restore_cli.cli.enhance import PURPOSES
from restore_cli.tasks.steps import describe_keys

Capture = pytest.CaptureFixture[str]
HEADING = re.compile(r"^(\w+):$", re.MULTILINE)


def sections_of(command: str, capsys: Capture) -> dict[str, str]:
    """Return the text below each heading of a command's help."""
    assert run([*command.split(), "--help"]) == 0
    parts = HEADING.split(capsys.readouterr().out)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("command", ["upscale", "lowlight", *PURPOSES, "run"])
def test_shared_options_stand_under_the_same_headings(command: str, capsys: Capture) -> None:
    sections = sections_of(command, capsys)
    known = [] if command == "run" else ["Pictures"]  # each step is told of its own
    assert list(sections) == ["Arguments", "Options", *known, "Files", "Network", "Batch", "Reports"]
    for heading, option in [("Files", "--output"), ("Network", "--tile"), ("Batch", "--watch"), ("Reports", "--json")]:
        assert [name for name, text in sections.items() if f"{option} " in text] == [heading]
    own = {"upscale": "--scale", "run": "--step"}.get(command, "--strength")
    assert own in sections["Options"]


def test_a_run_offers_no_model_but_the_keys_of_steps(capsys: Capture) -> None:
    sections = sections_of("run", capsys)
    assert "--model" not in sections["Network"]
    assert describe_keys().replace(" ", "") in "".join(sections["Options"].split())  # lines break at hyphens, too
    assert "--model" in sections_of("upscale", capsys)["Network"]


def test_fields_of_templates_are_told_with_what_a_model_may_be(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert "{model} is auto where it is chosen for each picture" in " ".join(
        sections_of("upscale", capsys)["Files"].split()
    )
    monkeypatch.chdir(photo.parent)
    assert run(["upscale", "photo.png", "-o", "{stem}_{model}.png", "--dry-run"]) == 0
    assert "photo_auto.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["upscale", "evaluate", "train", "status", "models verify", "models show", "models convert"]
)
def test_arguments_have_names_and_no_types(command: str, capsys: Capture) -> None:
    arguments = sections_of(command, capsys)["Arguments"]
    assert re.match(r"\n  [A-Z]+  +\S", arguments), "a name and what it is"
    assert "<" not in arguments
