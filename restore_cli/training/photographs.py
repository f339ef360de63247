"""Photographs to learn from, decoded once and kept in memory, and which of them are held out for validation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_cli.batch.sources import is_picture_name, pictures_in
from restore_cli.errors import PictureError, RestoreError, UsageError
from restore_cli.picture.depth import to_8_bit
from restore_cli.picture.reading import read_picture
from restore_cli.telling import Tell

Samples = NDArray[np.uint8]
"""h, w, 3."""
Notes = dict[str, list[Path]]
"""What there is to say of pictures, and of which."""
INPUTS, TARGETS = "low", "high"
"""Folders, side by side, whose pictures of the same name, in folders of the same name, are input and target."""
OTHER_SIDE = {INPUTS: TARGETS, TARGETS: INPUTS}
NAMED = 3
"""Pictures of a folder that are named, at the most, where the same is said of several."""
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


def collect(folders: Sequence[Path], validation: Path | None, smallest: int, tell: Tell, *, pairs: bool) -> Collection:
    """Decode the photographs in `folders`, which are there, and the folders in them, each file once.

    A folder that holds `low` and `high` is taken for pairs, with the folders in these; with `pairs` False, for the
    photographs in `high`. Pictures with a side below `smallest` are left out. With a folder `validation`, what lies in
    it is not learned from; without, every HELD_OUT-th photograph in the order of paths is held out.

    Raises:
        UsageError: nothing is left to learn from or to validate with.
    """
    known = set[str]()
    held_out = _read_folder(validation, smallest, tell, known, pairs) if validation else []
    examples = [example for folder in folders for example in _read_folder(folder, smallest, tell, known, pairs)]
    if validation is None:
        held_out = examples[::HELD_OUT][:HELD_OUT]
        examples = [example for index, example in enumerate(examples) if index % HELD_OUT or index >= HELD_OUT**2]
    if not examples or not held_out:
        where = ", ".join(map(str, folders if not examples else [validation or folders[0]]))
        others = " other than that of --validation" if validation else ""
        raise UsageError(
            f"there are too few photographs of at least {smallest} pixels a side in {where}",
            f"name folders of more or larger ones with --data{others}, or make patches.size in the recipe smaller",
        )
    return Collection(examples, held_out)


def check_folders(folders: Iterable[Path]) -> None:
    """Check that folders are there.

    Raises:
        UsageError: one is missing.
    """
    for folder in folders:
        if not os.path.isdir(folder):
            raise UsageError(f"there is no folder {folder}")


def digest_of(examples: Sequence[Example]) -> str:
    """Return a sha256 over the samples of photographs, in their order."""
    digest = hashlib.sha256()
    for example in examples:
        for samples in (example.target, example.input):
            if samples is not None:
                digest.update(f"{samples.shape}\n".encode())
                digest.update(samples.data)
    return digest.hexdigest()


def _read_folder(folder: Path, smallest: int, tell: Tell, known: set[str], pairs: bool) -> list[Example]:
    """Read what is not `known` yet, by resolved paths, and add it to what is."""
    listing = pictures_in(folder, recursive=True, output=None)
    for refusal in listing.refusals:
        tell(f"{refusal.error.message}; what lies in it is left out")
    found, small, repeated, notes, inputs = [], 0, 0, Notes(), Inputs()
    for path in sorted(listing.pictures):
        side = _side_of(path)
        if side is not None and side.name == INPUTS:
            continue  # it is read with its target
        place = os.path.realpath(path)
        if place in known:
            repeated += 1
            continue
        known.add(place)
        try:
            example = _read_example(path, side if pairs else None, inputs, notes)
        except PictureError as error:
            tell(f"{error.message}; it is left out")
            continue
        if min(example.target.shape[:2]) >= smallest:
            found.append(example)
        else:
            small += 1
    for note, paths in notes.items():
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        tell(f"{', '.join(map(str, paths[:NAMED]))}{more}: {note}")
    if small:
        tell(f"{small} of the pictures in {folder} with a side below {smallest} pixels are left out")
    if repeated:
        tell(f"{repeated} of the pictures in {folder} are left out here, since they were read before")
    return found


def _read_example(path: Path, targets: Path | None, inputs: Inputs, notes: Notes) -> Example:
    """Read a photograph, and, if it lies in a folder of `targets`, the input that belongs to it.

    What there is to say of them is added to `notes`.

    Raises:
        PictureError: one cannot be read.
        UsageError: there is no such input, there are several, or its size differs.
    """
    target = _read(path, notes)
    if targets is None:
        return Example(target)
    folder = targets.with_name(INPUTS) / _folder_of(path).relative_to(targets)
    partners = inputs.named(path.stem, folder)
    if not partners:
        raise UsageError(f"{path} has no partner in {folder}")
    if len(partners) > 1:
        names = " and ".join(partner.name for partner in partners)
        raise UsageError(f"{path} has several partners in {folder}: {names}", "leave one of them there")
    made = _read(partners[0], notes)
    if made.shape != target.shape:
        raise UsageError(f"{path} and its partner differ in size")
    return Example(target, made)


class Inputs:
    """The pictures in folders of inputs, each of which is listed once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Path]]] = {}

    def named(self, stem: str, folder: Path) -> Sequence[Path]:
        """Return the pictures in `folder` whose names without their endings are `stem`."""
        if folder not in self._folders:
            listed: dict[str, list[Path]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if is_picture_name(path.name):
                    listed.setdefault(path.stem, []).append(path)
            self._folders[folder] = listed
        return self._folders[folder].get(stem, ())


def _side_of(path: Path) -> Path | None:
    """Return the innermost folder above a picture that is a side of pairs, if the other one lies beside it, too."""
    folder = _folder_of(path)
    sides = (each for each in (folder, *folder.parents) if each.name in OTHER_SIDE)
    return next((side for side in sides if side.with_name(OTHER_SIDE[side.name]).is_dir()), None)


def _folder_of(path: Path) -> Path:
    """Return the folder of a file, with its name even where it is the working directory."""
    return Path(os.path.abspath(path)).parent


def _read(path: Path, notes: Notes) -> Samples:
    """Return a picture as sRGB samples of 8 bits, grey as colour."""
    try:
        picture = read_picture(path)
    except RestoreError as error:
        raise PictureError(error.message, error.hint) from error
    for note in picture.notes:
        notes.setdefault(note, []).append(path)
    pixels = picture.pixels
    levels = pixels if pixels.dtype == np.uint8 else to_8_bit(pixels)
    return np.ascontiguousarray(np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels, np.uint8)
