"""Read a file of weights into a state dict, whatever wrote it, without running code in it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
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
"""What wrappers for several devices and compilers put before every name."""


def read_checkpoint(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Read safetensors, or what `torch.save` wrote; the content tells which, not the name.

    `key` names the state dict inside the latter; None tries the usual ones.

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
            content = torch.load(file, map_location="cpu", weights_only=True)  # by a path it would go by the name
    except Exception as error:  # a damaged pickle can raise whatever its instructions run into
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            raise WeightsError(
                f"cannot read the weights {path}: it is damaged, or no file of tensors", "fetch or copy the file again"
            ) from error
        raise WeightsError(
            f"{path} is refused: besides tensors it asks for {wanted[1]}, which could run code",
            "save the state dict alone, best as .safetensors",
        ) from error
    return _without_prefix(_tensors_of(_pick_state(content, key, path), path))


def _pick_state(content: Any, key: str | None, path: Path) -> Mapping[Any, Any]:
    if not isinstance(content, Mapping):
        raise StateDictError(f"{path} holds no state dict, but a {type(content).__name__}")
    if key is None:
        return next((content[name] for name in KEYS if isinstance(content.get(name), Mapping)), content)
    nested = content.get(key)
    if not isinstance(nested, Mapping):
        raise StateDictError(f"{path} has no state dict under {key!r}", f"it has: {_nested_keys(content) or 'none'}")
    return nested


def _tensors_of(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    tensors = {
        name: value
        for name, value in state.items()
        if isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and not value.is_quantized
    }
    if tensors:
        return tensors
    nested = _nested_keys(state)
    raise StateDictError(
        f"{path} holds no tensors where a state dict usually is",
        f"name the place with --key: {nested}" if nested else "",
    )


def _nested_keys(content: Mapping[Any, Any]) -> str:
    return ", ".join(sorted(str(name) for name, value in content.items() if isinstance(value, Mapping)))


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return dict(state)
