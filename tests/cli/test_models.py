"""`restore models` as a user drives it, without a network."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from restore_cli import catalog
from restore_cli.card import ModelCard
from restore_cli.cards import CARDS
from restore_cli.catalog import find_card
from restore_cli.cli import models
from restore_cli.cli.app import run
from restore_cli.cli.values import complete_model
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.networks.safmn import SAFMN
from restore_cli.networks.safmn_any import SAFMNAny
from restore_cli.places import converted_path, embedded_path, put_path

EMBEDDED = find_card("safmn-x4")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dict(SAFMN(dim=8, n_blocks=1, upscaling_factor=2).state_dict())


@pytest.fixture
def content(state: dict[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save({"params": state}, buffer)
    return buffer.getvalue()


@pytest.fixture
def tiny(content: bytes, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """A small model with attribution due, which the catalogue knows besides the others."""
    card = ModelCard(
        name="tiny-x2",
        network="safmn",
        task="upscale",
        scale=2,
        summary="tiny",
        licence="CC-BY-4.0",
        attribution="A. Uthor",
        source="https://example.org",
        file="tiny.pth",
        repository="owner/tiny",
        revision="v1",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        key="params",
    )
    for module in (catalog, models):
        monkeypatch.setattr(module, "CARDS", (*CARDS, card))
    return card


@pytest.fixture
def at_hand(tiny: ModelCard, content: bytes) -> ModelCard:
    """The small model, put by hand."""
    put_path(tiny).parent.mkdir(parents=True)
    put_path(tiny).write_bytes(content)
    return tiny


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str], list[str]]:
    """Return the exit code of `restore models`, its lines of data and its lines of words."""
    code = run(["models", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()


Capture = pytest.CaptureFixture[str]


def test_list_in_a_pipe_is_a_table_of_tabs(at_hand: ModelCard, capsys: Capture) -> None:
    code, lines, words = call(capsys, "list")
    assert (code, words) == (0, [])
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in lines}
    assert list(rows) == [card.name for card in CARDS] + ["tiny-x2"]
    assert rows["safmn-x4"] == ["upscale", "x4", "239520", "1", "built in", EMBEDDED.summary]
    assert rows["safmn-df2k-x2"][4] == "to download"
    assert rows["tiny-x2"] == ["upscale", "x2", "", "", "at hand", "tiny"]


def test_list_as_json(at_hand: ModelCard, capsys: Capture) -> None:
    code, lines, words = call(capsys, "list", "--json")
    assert (code, words) == (0, [])
    records = {record["name"]: record for record in map(json.loads, lines)}
    assert records["tiny-x2"]["path"] == str(put_path(at_hand))
    assert records["safmn-df2k-x2"]["path"] is None
    assert records["safmn-df2k-x2"]["address"].startswith("https://huggingface.co/Meloo/SAFMN/resolve/")
    assert records["plainusr-s-x4"]["speed"] == "fast"
    assert records["safmn-x4"]["speed"] is None
    assert records["safmn-x4"]["path"] == str(embedded_path(EMBEDDED))


@pytest.mark.parametrize("columns", [60, 200])
def test_list_in_a_terminal_fits_it(columns: int) -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "restore_cli", "models", "list"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": str(columns)},
    )
    os.close(terminal)
    text = b""
    with contextlib.suppress(OSError):  # what a terminal raises whose other side is closed
        while part := os.read(master, 4096):
            text += part
    os.close(master)
    _, words = process.communicate(timeout=60)
    assert (process.returncode, words) == (0, b"")
    lines = text.decode().splitlines()
    assert max(map(len, lines)) <= columns
    words_of_summaries = " ".join(text.decode().split())
    assert all(card.summary in words_of_summaries for card in CARDS)
    header, *lines = [line for line in lines if not line.startswith(" ")]
    assert header.split()[:6] == ["name", "task", "scale", "size", "speed", "weights"]
    assert [line.split()[0] for line in lines] == [card.name for card in CARDS]
    assert (EMBEDDED.summary in lines[0]) == (columns == 200)
    assert lines[0].split()[1:7] == ["upscale", "x4", "0.24", "M", "1", "built"]


def test_show(capsys: Capture) -> None:
    code, lines, words = call(capsys, "show", "darkir-m")
    assert (code, words) == (0, [])
    facts = dict(line.split(":", 1) for line in lines)
    assert facts["licence"].strip() == "CC-BY-4.0 (code MIT)"
    assert "Feijoo" in facts["attribution"]
    assert facts["network"].strip() == "darkir"
    assert facts["task"].strip() == "lowlight, x1"
    assert "61eee7d5cfb593d408fba4c716874449b324ed1f49cbff97c2a25ce2fcbe4fde (as stated by a third" in facts["sha256"]
    assert facts["at hand"].strip() == "no; it is downloaded when first used"
    _, lines, _ = call(capsys, "show", "plainusr-l-x2")
    assert lines[2].split(":", 1)[1].strip() == "upscale, x2, picked by --speed best"


def test_show_as_json(at_hand: ModelCard, capsys: Capture) -> None:
    code, [line], words = call(capsys, "show", "tiny-x2", "--json")
    assert (code, words) == (0, [])
    record = json.loads(line)
    assert (record["licence"], record["attribution"]) == ("CC-BY-4.0", "A. Uthor")
    assert record["path"] == str(put_path(at_hand))


def test_path(at_hand: ModelCard, capsys: Capture) -> None:
    assert call(capsys, "path", "tiny-x2") == (0, [str(put_path(at_hand))], [])
    assert call(capsys, "path", "safmn-x4") == (0, [str(embedded_path(EMBEDDED))], [])


def test_path_of_what_is_not_at_hand(tiny: ModelCard, capsys: Capture) -> None:
    code, lines, words = call(capsys, "path", "tiny-x2")
    assert (code, lines) == (3, [])
    assert words == ["error: tiny-x2 is not at hand", "hint: download it with 'restore models pull tiny-x2'"]


def test_pull_converts_what_was_put_by_hand_and_gives_credit(at_hand: ModelCard, capsys: Capture) -> None:
    converted = converted_path(at_hand)
    expected = (0, [f"tiny-x2\t{converted}"], ["note: tiny-x2: A. Uthor, CC-BY-4.0"])
    assert call(capsys, "pull", "tiny-x2") == expected
    assert call(capsys, "pull", "tiny-x2") == expected
    assert call(capsys, "path", "tiny-x2") == (0, [str(converted)], [])


def test_pull_as_json(capsys: Capture) -> None:
    code, [line], words = call(capsys, "pull", "--json", "safmn-x4")
    assert (code, words) == (0, [])
    assert json.loads(line)["path"] == str(embedded_path(EMBEDDED))


def test_pull_goes_on_after_a_failure(tiny: ModelCard, capsys: Capture) -> None:
    code, lines, words = call(capsys, "pull", "tiny-x2", "safmn-x4")
    assert code == 3
    assert lines == [f"safmn-x4\t{embedded_path(EMBEDDED)}"]
    assert words == [
        "error: cannot download tiny-x2: HF_HUB_OFFLINE is set",
        f"hint: download {tiny.address} by hand and save it as {put_path(tiny)}; the model safmn-x2 needs no download",
    ]


def test_verify_all_that_is_at_hand(at_hand: ModelCard, capsys: Capture) -> None:
    code, lines, words = call(capsys, "verify")
    assert (code, words) == (0, [])
    embedded = [f"{card.name}\tok\t{embedded_path(card)}" for card in CARDS if card.embedded]
    assert lines == [*embedded, f"tiny-x2\tok\t{put_path(at_hand)}"]


def test_verify_tells_a_wrong_file_and_goes_on(at_hand: ModelCard, content: bytes, capsys: Capture) -> None:
    put_path(at_hand).write_bytes(content[:-1])
    code, lines, words = call(capsys, "verify", "tiny-x2", "safmn-x4")
    assert code == 3
    assert lines == [f"tiny-x2\twrong\t{put_path(at_hand)}", f"safmn-x4\tok\t{embedded_path(EMBEDDED)}"]
    assert words[0].startswith(f"error: {put_path(at_hand)} is not the published tiny-x2: its sha256 is ")
    assert words[1:] == ["hint: 'restore models pull tiny-x2' downloads it again"]


def test_verify_as_json_with_a_missing_model(tiny: ModelCard, capsys: Capture) -> None:
    code, lines, words = call(capsys, "verify", "--json", "tiny-x2", "safmn-x4")
    assert code == 3
    assert [json.loads(line) for line in lines] == [
        {"name": "tiny-x2", "verdict": "missing", "path": None},
        {"name": "safmn-x4", "verdict": "ok", "path": str(embedded_path(EMBEDDED))},
    ]
    assert words == ["error: tiny-x2 is not at hand", "hint: download it with 'restore models pull tiny-x2'"]


def test_verify_says_where_no_hash_is_published(capsys: Capture) -> None:
    card = catalog.find_card("safmn-bcie")
    put_path(card).parent.mkdir(parents=True)
    put_path(card).write_bytes(b"anything")
    assert call(capsys, "verify", "safmn-bcie") == (0, [f"safmn-bcie\tno published hash\t{put_path(card)}"], [])


@pytest.mark.parametrize("command", ["show", "pull", "verify", "path"])
def test_an_unknown_name_is_a_mistake_in_the_request(command: str, capsys: Capture) -> None:
    arguments = (command, "safmn-x4", "safmn-4x") if command in ("pull", "verify") else (command, "safmn-4x")
    code, lines, words = call(capsys, *arguments)
    assert (code, lines) == (2, [])
    assert words == [
        "error: no model is called 'safmn-4x'",
        "hint: did you mean safmn-x4? 'restore models list' shows all",
    ]


@pytest.mark.parametrize("command", ["show", "pull", "path", "convert"])
def test_a_missing_argument_is_a_mistake_in_the_request(command: str, capsys: Capture) -> None:
    code, lines, words = call(capsys, command)
    assert (code, lines) == (2, [])
    assert len(words) == 2


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_convert(suffix: str, state: dict[str, Tensor], tmp_path: Path, capsys: Capture) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.safetensors"
    (torch.save if suffix == ".pth" else save_file)({f"module.{name}": state[name] for name in state}, source)
    assert call(capsys, "convert", source, target) == (0, [f"{target}\tsafmn x2"], [])
    read = load_file(target)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)
    with safe_open(target, "pt") as file:
        assert file.metadata() == {"network": "safmn"}


def test_convert_tells_a_network_for_any_scale(tmp_path: Path, capsys: Capture) -> None:
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    save_file(SAFMNAny(dim=8, n_blocks=1).state_dict(), source)
    assert call(capsys, "convert", source, target) == (0, [f"{target}\tsafmn-any any"], [])


def test_a_model_for_any_scale_is_listed_with_its_range(
    tiny: ModelCard, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    card = dataclasses.replace(tiny, name="tiny-any", network="safmn-any", scale=4, continuous=True)
    monkeypatch.setattr(models, "CARDS", (card,))
    monkeypatch.setattr(catalog, "CARDS", (card,))
    assert call(capsys, "list")[1] == ["tiny-any\tupscale\tx1-4\t\t\tto download\ttiny"]
    assert "task:        upscale, x1-4" in call(capsys, "show", "tiny-any")[1]
    record = json.loads(call(capsys, "list", "--json")[1][0])
    assert (record["scale"], record["continuous"]) == (4, True)


def test_convert_folds_what_is_in_the_form_that_is_trained(tmp_path: Path, capsys: Capture) -> None:
    torch.manual_seed(1)
    trained = PlainUSR(8, (8, 4), scale=2, folded=False)
    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    torch.save({"params": trained.state_dict()}, source)
    words = f"note: {source} is in the form that is trained, {target} in the plain one, which is equal and faster"
    assert call(capsys, "convert", source, target) == (0, [f"{target}\tplainusr x2"], [words])
    folded = PlainUSR(8, (8, 4), scale=2)
    folded.load_state_dict(load_file(target))
    x = torch.rand(1, 3, 9, 8)
    torch.testing.assert_close(folded(x), trained(x), rtol=0, atol=1e-5)
    again = tmp_path / "again.safetensors"
    assert call(capsys, "convert", target, again) == (0, [f"{again}\tplainusr x2"], [])
    assert again.read_bytes() == target.read_bytes()


def test_convert_takes_the_key_that_is_named(state: dict[str, Tensor], tmp_path: Path, capsys: Capture) -> None:
    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    torch.save({"params": state, "mine": {name: tensor + 1 for name, tensor in state.items()}}, source)
    assert call(capsys, "convert", source, target, "--key", "mine")[0] == 0
    assert torch.equal(load_file(target)["to_feat.bias"], state["to_feat.bias"] + 1)
    code, _, words = call(capsys, "convert", source, target, "--key", "nosuch", "--overwrite")
    assert (code, words[1]) == (3, "hint: it has: mine, params")


def test_convert_replaces_a_file_only_when_told(state: dict[str, Tensor], tmp_path: Path, capsys: Capture) -> None:
    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    torch.save(state, source)
    target.write_bytes(b"mine")
    code, lines, words = call(capsys, "convert", source, target)
    assert (code, lines, words) == (2, [], [f"error: {target} exists", "hint: --overwrite replaces it"])
    assert target.read_bytes() == b"mine"
    assert call(capsys, "convert", source, target, "--overwrite")[0] == 0
    assert call(capsys, "convert", target, target, "--overwrite")[0] == 0
    assert load_file(target).keys() == state.keys()


def convert_errors(state: dict[str, Tensor], folder: Path) -> dict[str, tuple[Any, str]]:
    """Name what each kind of source holds, and what is said of it."""
    incomplete = {name: tensor for name, tensor in state.items() if name != "to_feat.bias"}
    return {
        "incomplete": (incomplete, "missing to_feat.bias"),
        "unknown": ({"a.weight": torch.zeros(1)}, "no architecture known here"),
        "nothing": ({"iteration": 5}, "holds no tensors"),
        "list": ([1, 2], "holds no state dict, but a list"),
    }


@pytest.mark.parametrize("kind", ["incomplete", "unknown", "nothing", "list", "text", "absent"])
def test_convert_refuses_what_it_cannot_run(
    kind: str, state: dict[str, Tensor], tmp_path: Path, capsys: Capture
) -> None:
    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    if kind == "text":
        source.write_text("weights")
        words_expected = "neither safetensors nor a PyTorch file"
    elif kind == "absent":
        words_expected = "there is no weights file"
    else:
        content, words_expected = convert_errors(state, tmp_path)[kind]
        torch.save(content, source)
    code, lines, words = call(capsys, "convert", source, target)
    assert (code, lines) == (3, [])
    assert words[0].startswith("error: ")
    assert words_expected in words[0]
    assert str(source) in words[0]
    assert not target.exists()


def test_convert_to_another_format_is_refused(tmp_path: Path, capsys: Capture) -> None:
    code, _, words = call(capsys, "convert", tmp_path / "in.pth", tmp_path / "out.pth")
    assert (code, words) == (2, [f"error: {tmp_path / 'out.pth'} does not end in .safetensors"])


def test_convert_where_nothing_can_be_written(state: dict[str, Tensor], tmp_path: Path, capsys: Capture) -> None:
    source = tmp_path / "in.pth"
    torch.save(state, source)
    target = source / "out.safetensors"
    code, lines, words = call(capsys, "convert", source, target)
    assert (code, lines) == (1, [])
    assert words[0].startswith(f"error: cannot write {target}: ")


def test_without_a_command_there_is_help(capsys: Capture) -> None:
    code, lines, words = call(capsys)
    assert (code, words) == (0, [])
    assert lines[0].startswith("Usage: ")
    assert any(line.split()[:1] == ["verify"] for line in lines)


def test_names_are_completed() -> None:
    completed = dict(complete_model("safmn-l-r"))
    assert completed.keys() == {"safmn-l-real-x2", "safmn-l-real-x4"}
