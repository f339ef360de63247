"""Fetch published files from the Hugging Face Hub or from GitHub, and know them by their hash."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import platformdirs

from restore_cli.catalog import CARDS, ModelCard
from restore_cli.errors import DownloadError, HashMismatchError, WeightsError

TIMEOUT = 30
"""Seconds without an answer after which a server is given up."""


def cache_folder() -> Path:
    """Return where fetched and converted weights lie: $RESTORE_CACHE, or `restore` in the user's cache folder."""
    chosen = os.environ.get("RESTORE_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("restore")


def find_download(card: ModelCard) -> Path | None:
    """Return the published file of `card` where it has been fetched, or put by hand; None where it has not.

    Raises:
        HashMismatchError: a file put there by hand is another one.
    """
    own = _own_path(card)
    if own.exists():
        return own
    if card.host == "huggingface" and card.repository is not None:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(card.repository, card.file, revision=card.revision)
        return Path(cached) if isinstance(cached, str) else None
    return None


def download(card: ModelCard) -> Path:
    """Fetch the published file of `card`, check its hash, and return where it lies.

    Raises:
        DownloadError: no route, no such file, a broken connection; the hint says how to put the file by hand.
        HashMismatchError: the file is not the published one; it is deleted.
    """
    path = _fetch_from_hub(card) if card.host == "huggingface" else _fetch_from_github(card)
    try:
        verify_file(path, card)
    except HashMismatchError:
        path.resolve().unlink(missing_ok=True)  # the Hub's cache links to the file proper
        path.unlink(missing_ok=True)
        raise
    return path


def verify_file(path: Path, card: ModelCard) -> None:
    """Compare the hash of `path` with the published one; a card without a published hash passes.

    Raises:
        HashMismatchError: they differ.
        WeightsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if card.sha256 is not None and digest != card.sha256:
        raise HashMismatchError(
            f"{path} is not the published {card.name}: its sha256 is {digest}, not {card.sha256}",
            "fetch it again with 'restore models pull', and report it if it happens twice",
        )


def _own_path(card: ModelCard) -> Path:
    return cache_folder() / "published" / Path(card.file).name


def _fetch_from_hub(card: ModelCard) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    assert card.repository is not None
    try:
        return Path(hf_hub_download(card.repository, card.file, revision=card.revision, etag_timeout=TIMEOUT))
    except Exception as error:  # the Hub's client raises its own errors, its HTTP library's and the system's
        raise _failed(card, error) from error


def _fetch_from_github(card: ModelCard) -> Path:
    path = _own_path(card)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    assert card.address is not None
    try:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
            raise OSError("HF_HUB_OFFLINE is set")
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(card.address, timeout=TIMEOUT) as answer, temporary.open("wb") as file:
            shutil.copyfileobj(answer, file)
            announced = answer.headers.get("Content-Length")
            if announced is not None and int(announced) != file.tell():
                raise OSError(f"the connection broke after {file.tell():,} of {int(announced):,} bytes")
        os.replace(temporary, path)
    except (OSError, http.client.HTTPException) as error:
        temporary.unlink(missing_ok=True)
        raise _failed(card, error) from error
    return path


def _failed(card: ModelCard, error: Exception) -> DownloadError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    without = next((other.name for other in CARDS if other.embedded and other.task == card.task), None)
    instead = f"; '--model {without}' works without it" if without else ""
    return DownloadError(
        f"cannot fetch {card.name}: {lines[0]}",
        f"download {card.address} by hand and save it as {_own_path(card)}{instead}",
    )
