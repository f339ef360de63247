"""Fetching, from a Hub and a GitHub of our own on this machine.

The Hub's client reads its address when it is imported, so it runs in processes of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from restore_cli import card as card_module
from restore_cli import catalog
from restore_cli import download as download_module
from restore_cli.card import ModelCard
from restore_cli.cli.app import run
from restore_cli.download import download
from restore_cli.errors import DownloadError, HashMismatchError
from restore_cli.networks.safmn import SAFMN
from restore_cli.places import converted_path, hub_folder, put_path
from restore_cli.weights import pull_card

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Host(ThreadingHTTPServer):
    """Serves `files` at the addresses of both hosts; `faults` says which file is served how wrongly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.requests: list[str] = []
        self.pause = 0.0
        self.release = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def requests_for(self, name: str) -> list[str]:
        return [request.split()[0] for request in self.requests if request.endswith(f"/{name}")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the game."""


class Handler(BaseHTTPRequestHandler):
    server: Host

    def do_HEAD(self) -> None:
        self.answer(with_content=False)

    def do_GET(self) -> None:
        self.answer(with_content=True)

    def answer(self, *, with_content: bool) -> None:
        host, name = self.server, self.path.rsplit("/", 1)[-1]
        host.requests.append(f"{self.command} {self.path}")
        fault = host.faults.get(name, "")
        if fault == "silent":
            host.release.wait(30)
            return
        if fault == "error":
            self.send_error(500)
            return
        content = host.files.get(name)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            time.sleep(host.pause)
            self.wfile.write(content[: len(content) // 2] if fault in ("cut", "stalled") else content)
            if fault == "stalled":
                self.wfile.flush()
                host.release.wait(30)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    server = Host()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setattr(card_module, "GITHUB", server.address)
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    """A small published file that makes a network."""
    torch.manual_seed(1)
    buffer = io.BytesIO()
    torch.save({"params": SAFMN(dim=8, n_blocks=1, upscaling_factor=2).state_dict()}, buffer)
    return buffer.getvalue()


@pytest.fixture
def make_card(host: Host, checkpoint: bytes) -> Callable[..., ModelCard]:
    """Publish the checkpoint, or other content, under a name and return its card."""

    def make(name: str, content: bytes = checkpoint, **changes: Any) -> ModelCard:
        host.files[f"{name}.pth"] = content
        card = ModelCard(
            name=name,
            network="safmn",
            task="upscale",
            scale=2,
            summary="tiny",
            licence="CC-BY-4.0",
            attribution="A. Uthor",
            source="https://example.org",
            file=f"{name}.pth",
            repository="owner/tiny",
            revision=COMMIT,
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            key="params",
        )
        return dataclasses.replace(card, **changes)

    return make


def start(program: str, cards: list[ModelCard], *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start Python with a catalogue of these cards alone, and waits of no length between attempts."""
    prologue = (
        "import json, sys, time; from restore_cli import card, cards; time.sleep = lambda seconds: None;"
        "cards.CARDS = tuple(card.ModelCard(**fields) for fields in json.loads(sys.argv.pop(1)));"
        f"card.GITHUB = {os.environ['HF_ENDPOINT']!r}\n"
    )
    described = json.dumps([dataclasses.asdict(card) for card in cards])
    return subprocess.Popen(
        [sys.executable, "-c", prologue + program, described, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


COMMAND_LINE = "from restore_cli.cli.app import run; sys.exit(run(sys.argv[1:]))"
DOWNLOADS = """
from restore_cli.download import download
from restore_cli.errors import WeightsError
from restore_cli.places import find_published
for each in cards.CARDS:
    try:
        print(json.dumps({"path": str(download(each, damaged=find_published(each)))}))
    except WeightsError as error:
        print(json.dumps({"error": type(error).__name__, "message": error.message, "hint": error.hint}))
"""


def download_from_hub(*cards: ModelCard, **environment: str) -> list[dict[str, str]]:
    """Return what became of each card in a process of its own, which may say nothing besides."""
    process = start(DOWNLOADS, list(cards), **environment)
    output, words = process.communicate(timeout=120)
    assert (process.returncode, words) == (0, "")
    return [json.loads(line) for line in output.splitlines()]


MakeCard = Callable[..., ModelCard]


def test_a_model_from_the_hub_is_fetched_once(
    host: Host, make_card: MakeCard, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card("tiny")
    process = start(COMMAND_LINE, [card], "models", "pull", "tiny")
    output, words = process.communicate(timeout=120)
    assert (process.returncode, output) == (0, f"tiny\t{converted_path(card)}\n")
    assert words.splitlines() == [
        f"note: downloading tiny (0.0 MB) from {card.address}",
        "note: tiny: A. Uthor, CC-BY-4.0",
    ]
    assert host.requests_for("tiny.pth") == ["HEAD", "HEAD", "GET"]
    assert f"GET /owner/tiny/resolve/{COMMIT}/tiny.pth" in host.requests

    host.requests.clear()
    monkeypatch.setattr(catalog, "CARDS", (card,))
    assert run(["models", "pull", "tiny"]) == 0
    converted_path(card).unlink()  # from here on the file in the Hub's cache is all there is
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = tmp_path / "large.png"
    assert run(["upscale", str(photo), "-m", "tiny", "-o", str(result)]) == 0
    assert result.exists()
    assert host.requests == []


def test_what_can_go_wrong_at_the_hub(host: Host, make_card: MakeCard) -> None:
    names = ["fine", "wrong", "absent", "cut", "error"]
    cards = {name: make_card(name, name.encode() * 1000) for name in names}  # the Hub keeps equal content once
    host.files["wrong.pth"] = host.files["wrong.pth"][:-1] + b"x"
    del host.files["absent.pth"]
    host.faults = {"cut.pth": "cut", "error.pth": "error"}
    answers = dict(zip(names, download_from_hub(*cards.values()), strict=True))

    assert Path(answers["fine"]["path"]).read_bytes() == host.files["fine.pth"]
    assert Path(answers["fine"]["path"]).is_relative_to(hub_folder())
    assert answers["wrong"]["error"] == "HashMismatchError"
    assert answers["wrong"]["message"].startswith(
        f"what came from {cards['wrong'].address} is not the published wrong: its sha256 is "
    )
    expected = {
        "absent": "cannot download absent: the server answered 404 Not Found",
        "error": "cannot download error: the server answered 500 Internal Server Error",
    }
    for name, message in expected.items():
        assert answers[name]["error"] == "DownloadError"
        assert answers[name]["message"] == message
        assert answers[name]["hint"] == f"download {cards[name].address} by hand and save it as {put_path(cards[name])}"
    assert answers["cut"]["error"] == "DownloadError"
    assert answers["cut"]["message"].startswith("cannot download cut: ")
    assert "\n" not in answers["cut"]["message"]

    assert host.requests_for("absent.pth") == ["HEAD", "HEAD"]
    assert len(host.requests_for("cut.pth")) > 3  # the client tries a broken connection again
    assert len(host.requests_for("error.pth")) > 3
    kept = [path.name for path in hub_folder().glob("*/snapshots/*/*")]
    assert kept == ["fine.pth"]
    assert len(list((hub_folder() / "models--owner--tiny" / "blobs").iterdir())) == 1


def test_no_route_to_the_hub_is_said_at_once(make_card: MakeCard) -> None:
    card = make_card("tiny")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        [answer] = download_from_hub(card, HF_ENDPOINT=address)
    assert answer["message"] == "cannot download tiny: Connection refused"


def test_a_hub_cache_that_cannot_be_written(make_card: MakeCard, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [answer] = download_from_hub(make_card("tiny"), HF_HOME=str(tmp_path / "file" / "cache"))
    assert answer["error"] == "DownloadError"
    assert "Not a directory" in answer["message"]
    assert answer["hint"] == "set HF_HOME to a folder that can be written"


def test_two_processes_pull_the_same_models_at_once(host: Host, make_card: MakeCard) -> None:
    cards = [make_card("from-hub"), make_card("from-github", host="github")]
    host.pause = 0.5  # long enough for both to be under way
    names = [card.name for card in cards]
    processes = [start(COMMAND_LINE, cards, "models", "pull", *names) for _ in range(2)]
    for process in processes:
        output, words = process.communicate(timeout=120)
        assert process.returncode == 0, words
        assert output.splitlines() == [f"{card.name}\t{converted_path(card)}" for card in cards]
    for card in cards:
        assert [path.name for path in converted_path(card).parent.glob(f"*{card.name}*")] == [converted_path(card).name]
    assert [path.name for path in put_path(cards[1]).parent.iterdir()] == ["from-github.pth"]


def test_pull_fetches_anew_what_is_wrong(host: Host, make_card: MakeCard, checkpoint: bytes) -> None:
    card = make_card("tiny", host="github")
    put_path(card).parent.mkdir(parents=True)
    for _ in ("not converted yet", "converted"):
        put_path(card).write_bytes(b"damaged")
        said: list[str] = []
        assert pull_card(card, said.append) == converted_path(card)
        assert said[0].startswith(f"{put_path(card)} is not the published tiny: its sha256 is ")
        assert said[0].endswith("; it is downloaded again")
        assert put_path(card).read_bytes() == checkpoint


@pytest.mark.parametrize("by_hand", [False, True], ids=["hub", "by hand"])
def test_a_damaged_file_stays_until_a_good_one_comes_from_the_hub(
    by_hand: bool, host: Host, make_card: MakeCard, checkpoint: bytes
) -> None:
    card = make_card("tiny")
    if not by_hand:
        download_from_hub(card)
    path = put_path(card) if by_hand else hub_folder() / "models--owner--tiny" / "snapshots" / COMMIT / card.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"damaged")
    host.files["tiny.pth"] = b"<html>please log in</html>"
    [answer] = download_from_hub(card)
    assert answer["error"] == "HashMismatchError"
    assert path.read_bytes() == b"damaged"
    host.files["tiny.pth"] = checkpoint
    assert download_from_hub(card) == [{"path": str(path)}]
    assert path.read_bytes() == checkpoint
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("github", f"/owner/tiny/raw/{COMMIT}/tiny.pth"),
        ("github-release", f"/owner/tiny/releases/download/{COMMIT}/tiny.pth"),
    ],
)
def test_a_file_from_github(kind: str, path: str, host: Host, make_card: MakeCard, checkpoint: bytes) -> None:
    card = make_card("tiny", host=kind)
    said: list[str] = []
    assert download(card, said.append) == put_path(card)
    assert put_path(card).read_bytes() == checkpoint
    assert host.requests == [f"GET {path}"]
    assert said == [f"downloading tiny (0.0 MB) from {card.address}"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("absent", "the server answered 404 Not Found"),
        ("error", "the server answered 500 Internal Server Error"),
        ("cut", "the connection broke after"),
        ("silent", "timed out"),
        ("stalled", "timed out"),
    ],
)
def test_what_can_go_wrong_at_github(
    fault: str, reason: str, host: Host, make_card: MakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "TIMEOUT", 0.3)
    card = make_card("tiny", host="github")
    host.faults["tiny.pth"] = fault
    if fault == "absent":
        del host.files["tiny.pth"]
    with pytest.raises(DownloadError) as raised:
        download(card)
    assert raised.value.message.startswith(f"cannot download tiny: {reason}")
    assert raised.value.hint == (
        f"download {card.address} by hand and save it as {put_path(card)}; the model safmn-x2 needs no download"
    )
    assert list(put_path(card).parent.iterdir()) == []


def test_a_wrong_file_from_github_is_not_kept(host: Host, make_card: MakeCard) -> None:
    card = make_card("tiny", host="github")
    host.files["tiny.pth"] = b"<html>please log in</html>"
    with pytest.raises(HashMismatchError, match=f"what came from {card.address} is not the published tiny"):
        download(card)
    assert list(put_path(card).parent.iterdir()) == []


def test_a_server_that_refuses(make_card: MakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(card_module, "GITHUB", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(DownloadError, match="cannot download tiny: Connection refused"):
            download(make_card("tiny", host="github"))


def test_a_name_that_is_not_known(make_card: MakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_module, "GITHUB", "http://no-such-host.invalid")
    with pytest.raises(DownloadError) as raised:
        download(make_card("tiny", host="github"))
    assert "\n" not in raised.value.message
    assert "urlopen" not in raised.value.message


def test_a_cache_that_cannot_be_written(
    host: Host, make_card: MakeCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError) as raised:
        download(make_card("tiny", host="github"))
    assert raised.value.message == f"cannot download tiny: {tmp_path}/file/cache/published: Not a directory"
    assert raised.value.hint == (
        "set RESTORE_CACHE to a folder that can be written; the model safmn-x2 needs no download"
    )
    assert host.requests == []


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
@pytest.mark.parametrize("kind", ["huggingface", "github"])
def test_offline_asks_nobody(
    variable: str, kind: str, host: Host, make_card: MakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "0")
    monkeypatch.setenv(variable, "yes")
    said: list[str] = []
    with pytest.raises(DownloadError, match=f"cannot download tiny: {variable} is set"):
        download(make_card("tiny", host=kind), said.append)
    assert host.requests == said == []


def test_online_is_what_the_first_variable_says(
    make_card: MakeCard, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    download(make_card("tiny", host="github"))
    assert host.requests_for("tiny.pth") == ["GET"]
