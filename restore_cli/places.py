"""Where weights lie on this machine: in the package, in this program's cache, in the Hub's. Nothing here opens them.

Neither torch nor huggingface_hub is imported, so that a list of models can say at once which are at hand.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from restore_cli.card import ModelCard

PACKAGE = Path(__file__).parent


def find_weights(card: ModelCard) -> Path | None:
    """Return the file from which `card` would be loaded without a download, None where there is none."""
    if card.embedded:
        return _first([embedded_path(card)])
    return _first([converted_path(card), put_path(card), *_hub_paths(card)])


def find_published(card: ModelCard) -> Path | None:
    """Return the published file of `card` where it has been put by hand or fetched, None where it has not."""
    return _first([put_path(card), *_hub_paths(card)])


def embedded_path(card: ModelCard) -> Path:
    """Return where the package holds the file of an embedded card: installed, or in a checkout of the repository."""
    installed = PACKAGE / "embedded" / card.file
    return installed if installed.exists() else PACKAGE.parent / "weights" / card.file


def converted_path(card: ModelCard) -> Path:
    """Return where the cache keeps the safetensors form of `card`; another published file or key has another name."""
    published = (card.sha256 or card.revision or "")[:12]
    return cache_folder() / "converted" / f"{card.name}-{card.key or 'flat'}-{published}.safetensors"


def put_path(card: ModelCard) -> Path:
    """Return where the cache keeps the published file of `card` if it comes from GitHub or was put by hand."""
    return cache_folder() / "published" / Path(card.file).name


def cache_folder() -> Path:
    """Return where fetched and converted weights lie: $RESTORE_CACHE, or `restore` in the user's cache folder."""
    chosen = os.environ.get("RESTORE_CACHE")
    return _expanded(chosen) if chosen else platformdirs.user_cache_path("restore")


def hub_folder() -> Path:
    """Return where huggingface_hub keeps its files, by the variables that it documents."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if variable in os.environ:
            return _expanded(os.environ[variable])
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return _expanded(os.environ.get("HF_HOME", os.path.join(caches, "huggingface"))) / "hub"


def _hub_paths(card: ModelCard) -> list[Path]:
    """Return where the Hub's cache would hold the file of `card`; no path for a card that is not from there."""
    if card.host != "huggingface" or card.repository is None or card.revision is None:
        return []
    repository = hub_folder() / f"models--{card.repository.replace('/', '--')}"
    try:
        commit = (repository / "refs" / card.revision).read_text().strip()
    except (OSError, ValueError):  # the revision is a commit, or the Hub was never asked for it
        commit = card.revision
    return [repository / "snapshots" / commit / card.file]


def _first(places: list[Path]) -> Path | None:
    return next((path for path in places if os.path.isfile(path)), None)  # unlike Path.is_file, never raises


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(os.path.expanduser(path)))
