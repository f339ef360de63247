"""Read a file of weights into a state dict, whatever wrote it, without running code in it."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from restore_cli.errors import StateDictError, WeightsError

KEYS = ("params_ema", "params", "state_dict", "model")
"""Where training programs put the state dict in a .pth file, in the order in which they are tried."""
PREFIXES = ("module.", "_orig_mod.")
"""What wrappers for several devices and compilers put before every name, in any order."""
COUNTER = "n_averaged"
"""What `torch.optim.swa_utils.AveragedModel` counts in, beside the weights."""
DEEPEST = 4
"""Levels of dictionaries in which a state dict is looked for."""
SAVE_ALONE = "save the state dict alone, best as .safetensors"
MOST_UNPACKED = 20
"""Times its size that a file may unpack to. PyTorch packs nothing, and where a user did, weights shrink by some tenths,
and by more only where many are zero: what unpacks to so much is a trap that fills the memory."""
MOST_NAMES = 1_000_000
"""Names among which one is looked for, far more than checkpoints have: dictionaries may hold each other, and
themselves, so that a short file has places without number."""


def read_checkpoint(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Read safetensors, or what `torch.save` wrote; the content tells which, not the name.

    `key` names the state dict inside the latter, with dots from level to level; None tries the usual ones.

    Raises:
        WeightsError: the file cannot be read, is damaged, or would run code.
        StateDictError: it holds no state dict, or none under `key`.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if start.endswith(b"{") and len(start) == 9:  # eight bytes of length, then JSON
        return _read_safetensors(path, key)
    if start.startswith((b"PK", b"\x80")):  # a zip file, or a bare pickle of older versions
        return _read_pickle(path, key)
    what = "is neither safetensors nor a PyTorch file" if start else "is empty"
    raise WeightsError(
        f"cannot read the weights {path}: it {what}",
        "a failed download, a web page or a Git LFS pointer looks like this; fetch the file again",
    )


def _read_safetensors(path: Path, key: str | None) -> dict[str, Tensor]:
    if key is not None:
        raise StateDictError(f"{path} has no key {key!r}: a safetensors file is one state dict", "leave --key out")
    try:
        return _without_prefix(load_file(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot read the weights {path}: {error}", "fetch or copy the file again") from error


def _read_pickle(path: Path, key: str | None) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of the file is said below
            if file.read(2) == b"PK":
                _check_unpacked_size(path)
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)  # by a path it would go by the name
    except (MemoryError, WeightsError):
        raise
    except Exception as error:  # a damaged pickle can raise whatever its instructions run into
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            raise WeightsError(
                f"cannot read the weights {path}: it is damaged, or no file of tensors", "fetch or copy the file again"
            ) from error
        raise WeightsError(
            f"{path} is refused: besides tensors it asks for {wanted[1]}, which could run code",
            SAVE_ALONE,
        ) from error
    return _without_prefix(_pick_state(content, key, path))


def _check_unpacked_size(path: Path) -> None:
    """Refuse a zip file that unpacks to more than weights do.

    Raises:
        WeightsError: it is so.
        Exception: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > MOST_UNPACKED * path.stat().st_size:
        raise WeightsError(
            f"{path} is refused: it would unpack to {unpacked:,} bytes, far more than weights of its size", SAVE_ALONE
        )


def _pick_state(content: Any, key: str | None, path: Path) -> dict[str, Tensor]:
    """Return the tensors of the state dict under `key`, or where training programs put it, level by level."""
    if not isinstance(content, Mapping):
        raise StateDictError(f"{path} holds no state dict, but a {type(content).__name__}")
    places, names = dict[str, dict[str, Tensor]](), 0
    for place, state in _mappings_in(content):
        names += len(state)
        if names > MOST_NAMES:
            raise StateDictError(f"{path} holds more dictionaries than a checkpoint has", SAVE_ALONE)
        if tensors := _tensors_of(state):
            places[place] = tensors
    there = ", ".join(sorted(place for place in places if place))
    if key is not None:
        if key not in places:
            raise StateDictError(f"{path} has no state dict under {key!r}", f"it has: {there or 'none'}")
        return places[key]
    usual = next((place for place in _usual_places(content) if place in places), None)
    if usual is None:
        hint = f"name the place with --key: {there}" if there else SAVE_ALONE
        raise StateDictError(f"{path} holds no tensors where a state dict usually is", hint)
    return places[usual]


def _mappings_in(
    content: Mapping[Any, Any], place: str = "", level: int = 0
) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield a mapping and those in it, with their places: names from the outside inwards, with dots between."""
    yield place, content
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Mapping) and level <= DEEPEST:
            yield from _mappings_in(value, _inside(place, name), level + 1)


def _usual_places(content: Mapping[Any, Any], place: str = "", level: int = 0) -> Iterator[str]:
    """Yield where a state dict may be, the most usual places first, and what they lie in after them."""
    for name in KEYS:
        if isinstance(content.get(name), Mapping) and level <= DEEPEST:
            yield from _usual_places(content[name], _inside(place, name), level + 1)
    yield place


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _tensors_of(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if isinstance(name, str) and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    """Tell whether it is a tensor whose values are all there."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized or value.is_meta:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    state = {name: tensor for name, tensor in state.items() if name != COUNTER}
    while prefix := next((prefix for prefix in PREFIXES if state and all(n.startswith(prefix) for n in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state
