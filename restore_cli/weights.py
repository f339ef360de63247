"""From a model's name or a file to a verified state dict.

A name is looked for in the package, then in this program's cache, then in the Hub's cache, then at its published
address. A published `.pth` file is converted to safetensors once and kept in the cache.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from restore_cli.catalog import ModelCard
from restore_cli.download import cache_folder, download, find_download, verify_file
from restore_cli.errors import StateDictError, WeightsError

Announce = Callable[[str], None]
"""Called with a line of words for the user."""

KEYS = ("params_ema", "params", "state_dict", "model")
"""Where training programs put the state dict in a .pth file, in the order in which they are tried."""
PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Weights:
    """A state dict and where it came from."""

    state: Mapping[str, Tensor]
    path: Path


def embedded_path(card: ModelCard) -> Path:
    """Return where the package holds the file of an embedded card: installed, or in a checkout of the repository."""
    installed = PACKAGE / "embedded" / card.file
    return installed if installed.exists() else PACKAGE.parent / "weights" / card.file


def find_weights(card: ModelCard) -> Path | None:
    """Return the file from which `card` would be loaded without a download, None where there is none yet."""
    if card.embedded:
        return embedded_path(card)
    converted = converted_path(card)
    return converted if converted.exists() else find_download(card)


def load_card(card: ModelCard, announce: Announce = lambda line: None) -> Weights:
    """Load the weights of `card`, downloading and converting them first where they are not at hand.

    Raises:
        DownloadError: they are not at hand and cannot be fetched.
        HashMismatchError: the file is not the published one.
        WeightsError: the file cannot be read.
    """
    path = find_weights(card)
    if path is None:
        announce(f"fetching {card.name} from {card.address}")
        path = download(card)
        if card.sha256 is None:
            announce(f"{card.name} cannot be verified: {card.hash_note}")
    if path.suffix == ".safetensors":
        return Weights(_load_safetensors(path), path)
    state = _load_pickle(path, card.key)
    converted = converted_path(card)
    save_state(state, converted, {"model": card.name, "licence": card.licence, "attribution": card.attribution})
    return Weights(state, converted)


def load_path(path: Path, key: str | None = None) -> Weights:
    """Load a state dict from a .safetensors file, or from a .pth, .pt or .ckpt file without running code in it.

    `key` names the state dict inside a .pth file; None tries the usual ones.

    Raises:
        WeightsError: the file is missing or damaged, wants to run code, or has no such key.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}", "'restore models list' shows the models known by name")
    state = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path, key)
    return Weights(state, path)


def save_state(state: Mapping[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a state dict as safetensors, whole or not at all.

    Raises:
        WeightsError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, temporary, metadata)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise WeightsError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def converted_path(card: ModelCard) -> Path:
    """Return where the cache keeps the safetensors form of `card`; it changes with the published file's hash."""
    digest = card.sha256 or hashlib.sha256(str(card.address).encode()).hexdigest()
    return cache_folder() / "converted" / f"{card.name}-{digest[:12]}.safetensors"


def verify_card(card: ModelCard) -> Path | None:
    """Check that what is at hand of `card` is what was published; return the file checked, None if there is none.

    Raises:
        HashMismatchError: the file differs from the published one.
        WeightsError: the converted copy differs from its original.
    """
    path = embedded_path(card) if card.embedded else find_download(card)
    if path is None:
        return None
    verify_file(path, card)
    converted = converted_path(card)
    if not card.embedded and converted.exists():
        original, copy = _load_pickle(path, card.key), _load_safetensors(converted)
        if original.keys() != copy.keys() or any(not torch.equal(original[name], copy[name]) for name in original):
            raise WeightsError(f"{converted} differs from the file it was made of", "delete it; it will be made again")
    return path


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot read the weights {path}: {error}", "fetch or copy the file again") from error


def _load_pickle(path: Path, key: str | None) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is not a plain file of tensors; it is damaged or would run code", "convert it to .safetensors"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(f"cannot read the weights {path}: {error}", "fetch or copy the file again") from error
    state = _pick_state(content, key, path)
    return {name.removeprefix("module."): value for name, value in state.items() if isinstance(value, Tensor)}


def _pick_state(content: Any, key: str | None, path: Path) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise StateDictError(f"{path} holds no state dict, but a {type(content).__name__}")
    if key is not None:
        if not isinstance(content.get(key), Mapping):
            keys = ", ".join(sorted(name for name, value in content.items() if isinstance(value, Mapping)))
            raise StateDictError(f"{path} has no state dict under {key!r}", f"it has: {keys or 'none under any key'}")
        return cast("Mapping[str, Any]", content[key])
    return next((content[name] for name in KEYS if isinstance(content.get(name), Mapping)), content)
