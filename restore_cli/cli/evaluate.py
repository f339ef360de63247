"""`restore evaluate`."""

from __future__ import annotations

import json as json_format
import math
import os
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from restore_cli.batch.sources import pictures_in
from restore_cli.card import TaskName
from restore_cli.cli.options import Debug
from restore_cli.display import Display
from restore_cli.errors import RestoreError, UsageError
from restore_cli.files.naming import shown
from restore_cli.tasks.sizing import SIZING_SUFFIX

if TYPE_CHECKING:
    from restore_cli.metrics import Score
    from restore_cli.picture.picture import Samples


SUFFIXES = re.compile(rf"(?:{SIZING_SUFFIX}|_(?:{'|'.join(get_args(TaskName))}))+$")
"""What names of results carry that lie beside their inputs."""
Key = tuple[Path, str]
"""The folders between the one that was named and a picture, and its name without the ending."""
Pair = tuple[Path, Path]
"""A restored picture and its reference."""


class ChannelChoice(StrEnum):
    """Values of `--channel`."""

    Y = "y"
    RGB = "rgb"


def evaluate(
    restored: Annotated[Path, typer.Argument(metavar="RESTORED", help="A restored picture, or a folder of them.")],
    reference: Annotated[
        Path,
        typer.Argument(metavar="REFERENCE", help="Its reference, or a folder with references of the same names."),
    ],
    channel: Annotated[
        ChannelChoice,
        typer.Option(
            case_sensitive=False,
            metavar="y|rgb",
            help="Compare BT.601 luma (not rounded), or red, green and blue.",
        ),
    ] = ChannelChoice.Y,
    border: Annotated[
        int,
        typer.Option(min=0, metavar="PIXELS", help="Pixels to leave out along every side; papers take the scale."),
    ] = 0,
    modcrop: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="First cut references to multiples of N pixels, as test sets for xN need."
        ),
    ] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON record per pair, the mean last; a PSNR of null is infinite.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Compare restored pictures with references: PSNR and SSIM of each pair, of folders the mean last.

    Folders are paired by name, and so are the folders in them; endings may differ where one picture has a name, and
    NAME_x4, as results are called, belongs to NAME. What has no partner or cannot be compared is told of and left out
    of the mean.

    The PSNR of identical pictures is infinite: inf dB, in JSON null. The mean PSNR is that of all other pairs, and how
    many were identical is told.
    """
    pairs, problems = pair_up(restored, reference)
    display, scores, in_folders = Display(json=json), [], os.path.isdir(restored)
    for problem in problems:
        display.error(problem)
    for ours, theirs in pairs:
        name = ours.relative_to(restored).as_posix() if in_folders else ours.name
        try:
            score, notes = _score(ours, theirs, name, channel=channel, border=border, modcrop=modcrop)
        except RestoreError as error:
            if not in_folders:
                raise
            display.error(error)
            if json:
                print(json_format.dumps({"name": name, "error": error.message}))
            continue
        scores.append(score)
        _print_score(name, score.psnr, score.ssim, json)
        for note in notes:
            display.note(note)
    if in_folders and scores:
        _print_mean(scores, display)
    if problems or len(scores) < len(pairs):
        raise typer.Exit(RestoreError.exit_code)


def pair_up(restored: Path, reference: Path) -> tuple[list[Pair], list[RestoreError]]:
    """Pair two files, or the pictures of two folders and those in them by name; also return what is wrong with others.

    Raises:
        RestoreError: a file is missing, a folder has no pictures, or none of them has a partner.
        UsageError: one is a folder and the other is not.
    """
    for path in (restored, reference):
        if not os.path.exists(path):
            raise RestoreError(f"there is no file or folder {path}")
    if os.path.isdir(restored) != os.path.isdir(reference):
        raise UsageError(
            f"of {restored} and {reference} one is a folder and the other a file", "give two files or two folders"
        )
    if not os.path.isdir(restored):
        return [(restored, reference)], []
    (ours, problems), (theirs, others) = _by_key(restored, reference), _by_key(reference, restored)
    pairs, doubts, told = list[Pair](), list[RestoreError](), set[Path]()
    for key in sorted(ours):
        partner = key if key in theirs else (key[0], SUFFIXES.sub("", key[1]))
        found, doubtful = _match(ours[key], theirs.get(partner, []))
        pairs += found
        told.update(*found)
        if doubtful:
            told.update(ours[key], theirs[partner])
            doubts.append(RestoreError(f"{doubtful[0]} and {doubtful[1]} share a name", "keep one in the folder"))
    if not pairs:
        nothing = RestoreError(f"no picture in {restored} has the name of one in {reference}", "endings and _x4 aside")
        raise next(iter(doubts), nothing)
    alone = sorted(path for paths in (*ours.values(), *theirs.values()) for path in paths if path not in told)
    return pairs, [*problems, *others, *doubts, *(RestoreError(f"no partner for {path}") for path in alone)]


def _match(ours: list[Path], theirs: list[Path]) -> tuple[list[Pair], list[Path]]:
    """Pair pictures that share a name, by their endings first; also return two or more of which it is doubtful."""
    by_ending = {path.suffix: path for path in theirs}
    pairs = [(path, by_ending[path.suffix]) for path in ours if path.suffix in by_ending]
    paired = {path for pair in pairs for path in pair}
    ours_left, theirs_left = ([path for path in paths if path not in paired] for paths in (ours, theirs))
    if len(ours_left) == len(theirs_left) == 1:
        return [*pairs, (ours_left[0], theirs_left[0])], []
    if not ours_left or not theirs:
        return pairs, []
    return pairs, ours if len(ours) > 1 else theirs


def _score(
    ours: Path, theirs: Path, name: str, *, channel: ChannelChoice, border: int, modcrop: int
) -> tuple[Score, list[str]]:
    """Compare two files, a pair called `name`; also return what the user should know of them besides the score.

    Raises:
        PictureError: one cannot be read, or they have different sizes.
        UsageError: nothing is left of them to compare.
    """
    from restore_cli.metrics import alphas_differ, compare, hidden_in_both
    from restore_cli.picture.reading import read_picture

    a, b = read_picture(ours), read_picture(theirs)
    try:
        alpha = None if b.alpha is None else _cut_to_multiple(b.alpha, modcrop)
        hidden = hidden_in_both(a.alpha, alpha, border=border)
        pixels = _cut_to_multiple(b.pixels, modcrop)
        score = compare(a.pixels, pixels, channel=channel.value, border=border, hidden=hidden)
    except RestoreError as error:
        raise type(error)(f"{ours} and {theirs}: {error.message}", error.hint) from error
    notes = [f"{path}: {note}" for path, picture in ((ours, a), (theirs, b)) for note in picture.notes]
    if alphas_differ(a.alpha, alpha, border=border):
        notes.append(f"{name}: its transparency is not that of the reference, and is left out of the comparison")
    if hidden is not None:
        notes.append(f"{name}: pixels that are fully transparent in both pictures are left out of the comparison")
    return score, notes


def _cut_to_multiple(pixels: Samples, side: int) -> Samples:
    height, width = (length // side * side for length in pixels.shape[:2])
    return pixels[:height, :width]


def _by_key(folder: Path, other: Path) -> tuple[dict[Key, list[Path]], list[RestoreError]]:
    """Return the pictures below `folder` but not in `other`, and why folders cannot be read."""
    files: dict[Key, list[Path]] = {}
    listing = pictures_in(folder, True, other.resolve())
    problems = [refusal.error for refusal in listing.refusals]
    if not listing.pictures:
        raise problems[0] if problems else RestoreError(f"there are no pictures in {folder}")
    for path in listing.pictures:
        files.setdefault((path.parent.relative_to(folder), path.stem), []).append(path)
    return files, problems


def _print_mean(scores: Sequence[Score], display: Display) -> None:
    finite = [score.psnr for score in scores if math.isfinite(score.psnr)]
    identical = len(scores) - len(finite)
    psnr = sum(finite) / len(finite) if finite else math.inf
    ssim = sum(score.ssim for score in scores) / len(scores)
    _print_score("mean", psnr, ssim, display.json, identical=identical)
    if identical:
        left_out = "; the mean PSNR is that of the others" if finite else ""
        display.note(f"identical pairs: {identical} of {len(scores)}{left_out}")


def _print_score(name: str, psnr: float, ssim: float, json: bool, **counts: int) -> None:
    if json:
        value = None if math.isinf(psnr) else round(psnr, 4)
        print(json_format.dumps({"name": name, "psnr": value, "ssim": round(ssim, 6), **counts}))
    else:
        print(f"{shown(name, escapes_bytes=False)}\t{psnr:.3f} dB\t{ssim:.4f}")
