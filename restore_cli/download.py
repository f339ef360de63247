"""Fetch published files from the Hugging Face Hub or from GitHub, and know them by their hash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http
import logging
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from restore_cli.card import ModelCard, Speed
from restore_cli.catalog import built_in_for
from restore_cli.errors import DownloadError, HashMismatchError, WeightsError
from restore_cli.files.hashing import sha256_of
from restore_cli.files.replacing import TEMPORARY_PREFIX, replacing
from restore_cli.places import hub_folder, put_path
from restore_cli.telling import Tell

TIMEOUT = 30
"""Seconds without an answer after which a server is given up."""
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""The first that is set says whether the Hub's client asks nobody; nor does this program then, whatever the host."""


def download(
    card: ModelCard, tell: Tell = lambda line: None, *, is_named: bool = True, damaged: Path | None = None
) -> Path:
    """Fetch the published file of `card`, check its hash, and return where it lies.

    `is_named` says that the user named the card, where it was not picked by a speed; the hint of an error heeds it.
    `damaged` is what `find_published` finds, if anything: it stays until what came has been checked and takes its
    place.

    Raises:
        DownloadError: offline, no route, no such file, a broken connection, no place to write.
        HashMismatchError: what came is not the published file; it is not kept.
    """
    try:
        variable = next((name for name in OFFLINE_VARIABLES if os.environ.get(name)), None)
        if variable is not None and os.environ[variable].upper() in ("1", "TRUE", "YES", "ON"):
            raise ConnectionError(f"{variable} is set")
        size = f" ({card.bytes / 1e6:.1f} MB)" if card.bytes else ""
        tell(f"downloading {card.name}{size} from {card.address}")
        if card.host != "huggingface":
            return _fetch_from_github(card)
        return _fetch_from_hub(card, hub_folder()) if damaged is None else _replace_from_hub(card, damaged)
    except WeightsError:
        raise
    except Exception as error:  # the Hub's client raises its own errors, its HTTP library's and the system's
        raise _failed(card, error, is_named=is_named) from error


def verify_file(path: Path, card: ModelCard) -> None:
    """Compare the hash of `path` with the published one; a card without a published hash passes.

    Raises:
        HashMismatchError: they differ.
        WeightsError: the file cannot be read.
    """
    hint = "install restore-cli again" if card.embedded else f"'restore models pull {card.name}' downloads it again"
    _compare(_hash(path, hint), card, what=str(path), hint=hint)


def _fetch_from_hub(card: ModelCard, folder: Path, *, anew: bool = False) -> Path:
    """Fetch a file into `folder`, which is a cache of the Hub's client; `anew` though the client may have it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    assert card.repository is not None
    # One attempt says at once whether there is a route; the client would try for half a minute, or for many. Where a
    # server answers, the client knows after which answers to try again.
    with contextlib.suppress(HfHubHTTPError):
        get_hf_file_metadata(hf_hub_url(card.repository, card.file, revision=card.revision), timeout=TIMEOUT)
    path = Path(
        hf_hub_download(
            card.repository,
            card.file,
            revision=card.revision,
            cache_dir=folder,
            etag_timeout=TIMEOUT,
            force_download=anew,
        )
    )
    try:
        _verify_answer(_hash(path), card)
    except HashMismatchError:
        path.resolve().unlink(missing_ok=True)  # the client's cache links to the file proper
        path.unlink(missing_ok=True)
        raise
    return path


def _replace_from_hub(card: ModelCard, damaged: Path) -> Path:
    """Fetch a file into the place of one that is there, in the Hub's cache or put by hand."""
    with TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=damaged.parent) as folder:
        fetched = _fetch_from_hub(card, Path(folder), anew=True)
        with fetched.open("rb") as whole, replacing(damaged) as file:
            shutil.copyfileobj(whole, file)
    return damaged


def _fetch_from_github(card: ModelCard) -> Path:
    path = put_path(card)
    assert card.address is not None
    path.parent.mkdir(parents=True, exist_ok=True)  # it stays: the user may be asked to put the file there
    try:
        with urllib.request.urlopen(card.address, timeout=TIMEOUT) as answer, replacing(path) as file:
            shutil.copyfileobj(answer, file)
            announced = answer.headers.get("Content-Length")
            if announced is not None and int(announced) != file.tell():
                raise ConnectionError(f"the connection broke after {file.tell():,} of {int(announced):,} bytes")
            file.seek(0)
            _verify_answer(hashlib.file_digest(file, "sha256").hexdigest(), card)
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer itself, and holds the connection
        raise
    return path


def _hash(path: Path, hint: str = "") -> str:
    """Return the hash of a file of weights; `hint` is for one that cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror or error}", hint) from error


def _verify_answer(digest: str, card: ModelCard) -> None:
    hint = "something on the way may have answered in its place; try again, or from another network"
    _compare(digest, card, what=f"what came from {card.address}", hint=hint)


def _compare(digest: str, card: ModelCard, *, what: str, hint: str) -> None:
    if card.sha256 is not None and digest != card.sha256:
        message = f"{what} is not the published {card.name}: its sha256 is {digest}, not {card.sha256}"
        raise HashMismatchError(message, hint)


def _failed(card: ModelCard, error: Exception, *, is_named: bool) -> DownloadError:
    built_in = built_in_for(card)
    without = f"the model {built_in.name}" if built_in else ""
    if card.speed is not None and not is_named:
        without = f"the speed {Speed.BALANCED}"
    instead = f"; {without} needs no download" if without else ""
    if _concerns_a_folder(error):
        variable = "HF_HOME" if card.host == "huggingface" else "RESTORE_CACHE"
        hint = f"set {variable} to a folder that can be written"
    else:
        hint = f"download {card.address} by hand and save it as {put_path(card)}"
    return DownloadError(f"cannot download {card.name}: {_reason(error)}", hint + instead)


def _concerns_a_folder(error: Exception) -> bool:
    """Tell errors of the file system from those of the network, which are OSErrors too."""
    if not isinstance(error, OSError) or isinstance(error, urllib.error.URLError):
        return False
    return error.filename is not None or error.errno == errno.ENOSPC


def _reason(error: BaseException) -> str:
    """Word in one line what the innermost error says: the outer ones of the Hub's client are paragraphs."""
    response = getattr(error, "response", None)
    code = error.code if isinstance(error, urllib.error.HTTPError) else getattr(response, "status_code", None)
    if code is not None:
        known = code in set(http.HTTPStatus)
        return f"the server answered {code}" + (f" {http.HTTPStatus(code).phrase}" if known else "")
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _reason(error.reason)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if error.__cause__ is not None:
        return _reason(error.__cause__)
    lines = str(error).strip().splitlines()
    return re.sub(r"^\[Errno -?\d+\] ", "", lines[0]) if lines else type(error).__name__
