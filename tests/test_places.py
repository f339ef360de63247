from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import try_to_load_from_cache

from restore_cli.card import ModelCard
from restore_cli.catalog import find_card
from restore_cli.places import (
    cache_folder,
    converted_path,
    embedded_path,
    find_published,
    find_weights,
    hub_folder,
    put_path,
)

PINNED = find_card("safmn-df2k-x4")
BRANCH = find_card("darkir-m")
GITHUB = find_card("safmnpp-x4")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def put_in_hub(card: ModelCard) -> Path:
    """Lay an empty file where the Hub's client would, with a link, and a reference where the revision is a branch."""
    folder = hub_folder() / f"models--{str(card.repository).replace('/', '--')}"
    commit = str(card.revision)
    if card.revision == "main":
        commit = COMMIT
        touch(folder / "refs" / "main").write_text(commit)
    blob = touch(folder / "blobs" / "abc")
    path = folder / "snapshots" / commit / card.file
    path.parent.mkdir(parents=True)
    path.symlink_to(os.path.relpath(blob, path.parent))
    return path


@pytest.mark.parametrize("card", [PINNED, BRANCH], ids=["commit", "branch"])
def test_the_hubs_cache_is_read_as_its_client_reads_it(card: ModelCard) -> None:
    assert find_weights(card) is None
    path = put_in_hub(card)
    assert find_weights(card) == find_published(card) == path
    by_the_client = try_to_load_from_cache(
        str(card.repository), card.file, revision=card.revision, cache_dir=hub_folder()
    )
    assert by_the_client == str(path)


def test_another_revision_does_not_count() -> None:
    put_in_hub(PINNED)
    other = dataclasses.replace(PINNED, revision=COMMIT)
    assert find_weights(other) is None


def test_a_link_to_nothing_does_not_count() -> None:
    put_in_hub(PINNED).resolve().unlink()
    assert find_weights(PINNED) is None


def test_the_order_of_search() -> None:
    hub = put_in_hub(PINNED)
    assert find_weights(PINNED) == hub
    put = touch(put_path(PINNED))
    assert find_weights(PINNED) == find_published(PINNED) == put
    converted = touch(converted_path(PINNED))
    assert find_weights(PINNED) == converted
    assert find_published(PINNED) == put


def test_a_file_from_github_is_not_looked_for_in_the_hub() -> None:
    assert find_weights(GITHUB) is None
    put = touch(put_path(GITHUB))
    assert put == cache_folder() / "published" / "team23_safmnpp.pth"
    assert find_weights(GITHUB) == put


def test_embedded_weights_are_at_hand() -> None:
    card = find_card("safmn-x4")
    assert find_weights(card) == embedded_path(card)
    assert find_weights(dataclasses.replace(card, file="nosuch.safetensors")) is None


def test_another_hash_or_key_is_another_converted_file() -> None:
    cards = [PINNED, dataclasses.replace(PINNED, sha256="0" * 64), dataclasses.replace(PINNED, key="params_ema")]
    assert len({converted_path(card) for card in cards}) == 3


def test_a_cache_that_is_no_folder_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = touch(tmp_path / "file")
    monkeypatch.setenv("RESTORE_CACHE", str(blocked / "cache"))
    monkeypatch.setenv("HF_HOME", str(blocked / "hub"))
    assert find_weights(PINNED) is None
    assert find_weights(BRANCH) is None


def test_the_cache_lies_with_the_users_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTORE_CACHE")
    assert cache_folder().is_absolute()
    assert "restore" in cache_folder().parts


SETTINGS: list[dict[str, str]] = [
    {},
    {"HF_HOME": "/a/b"},
    {"HF_HOME": "~/hub"},
    {"HF_HOME": "$HOME/hub"},
    {"XDG_CACHE_HOME": "/x"},
    {"HF_HUB_CACHE": "/c", "HF_HOME": "/a"},
    {"HUGGINGFACE_HUB_CACHE": "/d", "XDG_CACHE_HOME": "/x"},
    {"HUGGINGFACE_HUB_CACHE": "/d", "HF_HUB_CACHE": "~/e"},
]


def test_the_hubs_folder_is_where_its_client_puts_it() -> None:
    program = """
import importlib, json, os, sys
from huggingface_hub import constants
from restore_cli.places import hub_folder
names = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
found = []
for settings in json.loads(sys.argv[1]):
    for name in names:
        os.environ.pop(name, None)
    os.environ.update(settings)
    importlib.reload(constants)
    found.append([str(hub_folder()), constants.HF_HUB_CACHE])
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(SETTINGS)], capture_output=True, text=True, check=True
    )
    for settings, (ours, theirs) in zip(SETTINGS, json.loads(done.stdout), strict=True):
        assert ours == theirs, settings


def test_a_home_in_the_name_of_the_cache_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("RESTORE_CACHE", "~/weights")
    assert put_path(GITHUB).is_relative_to("/home/somebody/weights")
