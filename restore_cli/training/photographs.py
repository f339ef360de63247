"""Photographs to learn from, decoded once and kept in memory, and which of them are held out for validation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_cli.batch.sources import find_sources
from restore_cli.errors import PictureError, RestoreError, UsageError
from restore_cli.picture.colour import to_8_bit
from restore_cli.picture.reading import read_picture

Samples = NDArray[np.uint8]
"""h, w, 3."""
INPUTS, TARGETS = "low", "high"
"""Folders whose pictures of the same name are input and target of each other, in one folder."""
HELD_OUT = 24
"""One of so many photographs is held out, and as many at the most."""


@dataclass(frozen=True, slots=True)
class Example:
    """A photograph as the network should give it."""

    target: Samples
    """h, w, 3; sRGB."""
    input: Samples | None = None
    """What the network gets, of the same size; None where it is made from the target."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Photographs, those to learn from apart from those that are held out."""

    learned: Sequence[Example]
    held_out: Sequence[Example]


def collect(folders: Sequence[Path], validation: Path | None, smallest: int, tell: Callable[[str], None]) -> Collection:
    """Decode the photographs in `folders` and the folders in them.

    A folder that holds `low` and `high` is taken for pairs. Pictures with a side below `smallest` are left out.
    Without a folder `validation`, every HELD_OUT-th photograph in the order of paths is held out.

    Raises:
        UsageError: a folder is missing, or nothing is left to learn from or to validate with.
    """
    examples = [example for folder in folders for example in _read_folder(folder, smallest, tell)]
    if validation is not None:
        held_out = _read_folder(validation, smallest, tell)
    else:
        held_out = examples[::HELD_OUT][:HELD_OUT]
        examples = [example for index, example in enumerate(examples) if index % HELD_OUT or index >= HELD_OUT**2]
    if not examples or not held_out:
        where = ", ".join(map(str, folders if not examples else [validation or folders[0]]))
        raise UsageError(
            f"there are too few photographs of at least {smallest} pixels a side in {where}",
            "name folders of photographs with --data",
        )
    return Collection(examples, held_out)


def _read_folder(folder: Path, smallest: int, tell: Callable[[str], None]) -> list[Example]:
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder {folder}")
    found, small = [], 0
    for path in sorted(source.path for source in find_sources([str(folder)], recursive=True, output=None).sources):
        if path.parent.name == INPUTS and (path.parent.parent / TARGETS).is_dir():
            continue  # it is read with its target
        try:
            example = _read_example(path)
        except PictureError as error:
            tell(f"{error.message}; it is left out")
            continue
        if min(example.target.shape[:2]) >= smallest:
            found.append(example)
        else:
            small += 1
    if small:
        tell(f"{small} of the pictures in {folder} with a side below {smallest} pixels are left out")
    return found


def _read_example(path: Path) -> Example:
    """Read a photograph, and the input that belongs to it if it lies in a folder of targets.

    Raises:
        PictureError: one cannot be read.
        UsageError: there is no such input, or its size differs.
    """
    target, folder = _read(path), path.parent.parent / INPUTS
    if path.parent.name != TARGETS or not folder.is_dir():
        return Example(target)
    partner = next((other for other in sorted(folder.iterdir()) if other.stem == path.stem), None)
    if partner is None:
        raise UsageError(f"{path} has no partner in {folder}")
    made = _read(partner)
    if made.shape != target.shape:
        raise UsageError(f"{path} and its partner differ in size")
    return Example(target, made)


def _read(path: Path) -> Samples:
    """Return a picture as sRGB samples of 8 bits, grey as colour."""
    try:
        pixels = read_picture(path).pixels
    except RestoreError as error:
        raise PictureError(error.message, error.hint) from error
    levels = pixels if pixels.dtype == np.uint8 else to_8_bit(pixels)
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels.astype(np.uint8)
