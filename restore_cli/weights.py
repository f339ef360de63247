"""From a model's name or a file to a verified state dict.

A name is looked for in the package, then in this program's cache, then in the Hub's cache, then at its published
address. A published file is converted to safetensors once and kept in the cache, with a digest of what it holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from restore_cli.card import ModelCard
from restore_cli.catalog import find_card, names_file
from restore_cli.checkpoint import read_checkpoint
from restore_cli.download import download, verify_file
from restore_cli.errors import StateDictError, UnwritableWeightsError, WeightsError
from restore_cli.files.replacing import folders_for, replacing
from restore_cli.networks import Network, build_network
from restore_cli.places import converted_path, embedded_path, find_published
from restore_cli.telling import Tell

DIGEST = "digest"
"""Key of a converted file's metadata under which its `digest_of` stands."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A state dict and where it came from."""

    state: Mapping[str, Tensor]
    path: Path


def load_card(card: ModelCard, tell: Tell = lambda line: None, *, is_named: bool = True) -> Weights:
    """Load the weights of `card`, downloading and converting them first where they are not at hand.

    `is_named` is as `download` takes it.

    Raises:
        DownloadError: they are not at hand and cannot be fetched.
        HashMismatchError: the file is not the published one.
        WeightsError: the file cannot be read.
    """
    if card.embedded:
        path = embedded_path(card)
        verify_file(path, card)
        return Weights(read_checkpoint(path), path)
    converted = converted_path(card)
    if os.path.isfile(converted):
        try:
            return Weights(_read_converted(converted), converted)
        except WeightsError as error:
            tell(f"{error.message}; it is made again")
    published = find_published(card)
    if published is None:
        published = _fetch(card, tell, is_named=is_named)
    else:
        verify_file(published, card)
    state = read_checkpoint(published, card.key)
    try:
        _save_converted(state, card)
    except WeightsError as error:
        tell(f"{error.message}; {card.name} is read from {published} each time")
        return Weights(state, published)
    return Weights(state, converted)


def pull_card(card: ModelCard, tell: Tell = lambda line: None) -> Path:
    """Make sure that `card` is at hand, whole and converted; what is damaged or wrong is fetched anew.

    What is there stays until a good file takes its place. Returns the file from which it is loaded from then on.

    Raises:
        DownloadError: it cannot be fetched.
        HashMismatchError: what comes is not the published file.
        WeightsError: the file cannot be read.
    """
    if not card.embedded:
        published = find_published(card)
        try:
            if published is not None:
                verify_file(published, card)
        except WeightsError as error:
            tell(f"{error.message}; it is downloaded again")
            _fetch(card, tell, damaged=published)
    return load_card(card, tell).path


def verify_card(card: ModelCard) -> None:
    """Check that what is at hand of `card` is what was published.

    Raises:
        HashMismatchError: the file differs from the published one.
        WeightsError: a file cannot be read, or the converted one does not hold what was converted.
    """
    if card.embedded:
        verify_file(embedded_path(card), card)
        return
    published, converted = find_published(card), converted_path(card)
    if published is not None:
        verify_file(published, card)
    if os.path.isfile(converted):
        _read_converted(converted)


def load_path(path: Path, key: str | None = None) -> Weights:
    """Load a state dict from a .safetensors file, or from a .pth, .pt or .ckpt file without running code in it.

    `key` names the state dict inside a .pth file; None tries the usual ones.

    Raises:
        WeightsError: the file is missing or damaged, wants to run code, or has no such key.
    """
    if not os.path.isfile(path):  # unlike Path.is_file, never raises
        raise WeightsError(
            f"there is no weights file {path}", "check its path; 'restore models list' shows what has a name"
        )
    return Weights(read_checkpoint(path, key), path)


def load(model: str | Path, key: str | None = None, tell: Tell = lambda line: None) -> Weights:
    """Load what a user calls a model: a name of the catalogue, or a file, of which `key` is as `load_path` takes it.

    Raises:
        UnknownModelError: it is the name of nothing.
        WeightsError: as `load_card` and `load_path` do.
    """
    if isinstance(model, Path) or names_file(model):
        return load_path(Path(model), key)
    return load_card(find_card(model), tell)


def build(weights: Weights) -> Network:
    """Build the network that `weights` belong to.

    Raises:
        StateDictError: they belong to none, or do not fit it; the message names their file.
    """
    try:
        return build_network(weights.state)
    except StateDictError as error:
        raise StateDictError(f"{weights.path}: {error.message}", error.hint) from error


def save_state(state: Mapping[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a state dict as safetensors, whole or not at all.

    Raises:
        UnwritableWeightsError: the file cannot be written.
    """
    tensors = {name: tensor.contiguous().clone() for name, tensor in state.items()}
    write_whole(path, save(tensors, metadata))


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file of tensors, whole or not at all.

    Raises:
        UnwritableWeightsError: the file cannot be written.
    """
    try:
        with folders_for(path), replacing(path) as file:
            file.write(content)
    except OSError as error:
        hint = "free some space, or name another place"
        raise UnwritableWeightsError(f"cannot write {path}: {error.strerror or error}", hint) from error


def digest_of(state: Mapping[str, Tensor]) -> str:
    """Return a sha256 over the names, types, shapes and values of a state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _fetch(card: ModelCard, tell: Tell, *, is_named: bool = True, damaged: Path | None = None) -> Path:
    path = download(card, tell, is_named=is_named, damaged=damaged)
    if card.sha256 is None:
        tell(f"{card.name} cannot be verified: {card.hash_note}")
    if card.credit is not None:
        tell(card.credit)
    return path


def _save_converted(state: Mapping[str, Tensor], card: ModelCard) -> None:
    metadata = {"model": card.name, "licence": card.licence, "attribution": card.attribution, DIGEST: digest_of(state)}
    save_state(state, converted_path(card), metadata)


def _read_converted(path: Path) -> dict[str, Tensor]:
    state = read_checkpoint(path)
    with safe_open(path, "pt") as file:
        stated = (file.metadata() or {}).get(DIGEST)
    if digest_of(state) != stated:
        raise WeightsError(f"{path} does not hold what was converted into it", "delete it, and it is made again")
    return state
