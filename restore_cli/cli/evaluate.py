"""`restore evaluate`."""

from __future__ import annotations

import json as json_format
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from restore_cli.batch.sources import is_picture_name
from restore_cli.card import TaskName
from restore_cli.cli.options import Debug
from restore_cli.display import Display
from restore_cli.errors import PictureError, RestoreError, UsageError
from restore_cli.tasks.sizing import SIZING_SUFFIX

if TYPE_CHECKING:
    from restore_cli.picture.picture import Samples


SUFFIXES = re.compile(rf"(?:{SIZING_SUFFIX}|_(?:{'|'.join(get_args(TaskName))}))+$")
"""What names of results carry that lie beside their inputs."""


class ChannelChoice(StrEnum):
    """Values of `--channel`."""

    Y = "y"
    RGB = "rgb"


def evaluate(
    restored: Annotated[Path, typer.Argument(help="A restored picture, or a folder of them.")],
    reference: Annotated[Path, typer.Argument(help="Its reference, or a folder with references of the same names.")],
    channel: Annotated[
        ChannelChoice, typer.Option(help="Compare BT.601 luma, or red, green and blue.")
    ] = ChannelChoice.Y,
    border: Annotated[
        int, typer.Option(min=0, help="Pixels to leave out along every side; papers take the scale.")
    ] = 0,
    modcrop: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="First cut references to multiples of N pixels, as test sets for xN need."
        ),
    ] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON record per pair, the mean last.")] = False,
    debug: Debug = False,
) -> None:
    """Compare restored pictures with references: PSNR and SSIM of each pair, the mean last.

    Folders are paired by name; endings may differ, and NAME_x4, as results are called, belongs to NAME. What has no
    partner or cannot be compared is told of and left out of the mean.
    """
    pairs, alone = pair_up(restored, reference)

    from restore_cli.metrics import Score, compare
    from restore_cli.picture.reading import read_picture

    display, scores = Display(json=json), []
    for path in alone:
        display.error(RestoreError(f"no partner for {path}"))
    for ours, theirs in pairs:
        try:
            a, b = read_picture(ours), read_picture(theirs)
            score = compare(a.pixels, _cut_to_multiple(b.pixels, modcrop), channel=channel.value, border=border)
        except RestoreError as error:
            if not isinstance(error, PictureError):
                error = UsageError(f"{ours} and {theirs}: {error.message}", error.hint)
            if len(pairs) == 1 and not alone:
                raise error from None
            display.error(error)
            if json:
                print(json_format.dumps({"name": ours.name, "error": error.message}))
            continue
        scores.append(score)
        _print_score(ours.name, score.psnr, score.ssim, json)
    if os.path.isdir(restored) and scores:
        mean = Score(*(sum(values) / len(scores) for values in zip(*((s.psnr, s.ssim) for s in scores), strict=True)))
        _print_score("mean", mean.psnr, mean.ssim, json)
    if alone or len(scores) < len(pairs):
        raise typer.Exit(RestoreError.exit_code)


def pair_up(restored: Path, reference: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Pair two files, or the pictures of two folders by name; also return those without a partner.

    Raises:
        RestoreError: a file is missing, no picture has a partner, or two share a name.
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
    ours, theirs = _by_stem(restored), _by_stem(reference)
    if not ours:
        raise RestoreError(f"there are no pictures in {restored}")
    partners = {stem: stem if stem in theirs else SUFFIXES.sub("", stem) for stem in sorted(ours)}
    pairs = [(ours[stem], theirs[partner]) for stem, partner in partners.items() if partner in theirs]
    if not pairs:
        raise RestoreError(f"no picture in {restored} has the name of one in {reference}", "endings and _x4 aside")
    paired = {path for pair in pairs for path in pair}
    return pairs, sorted(path for path in (*ours.values(), *theirs.values()) if path not in paired)


def _cut_to_multiple(pixels: Samples, side: int) -> Samples:
    height, width = (length // side * side for length in pixels.shape[:2])
    return pixels[:height, :width]


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if is_picture_name(path.name) and os.path.isfile(path):
            if path.stem in files:
                raise RestoreError(f"{files[path.stem]} and {path} share a name", "keep one of them in the folder")
            files[path.stem] = path
    return files


def _print_score(name: str, psnr: float, ssim: float, json: bool) -> None:
    if json:
        value = None if psnr == float("inf") else round(psnr, 4)
        print(json_format.dumps({"name": name, "psnr": value, "ssim": round(ssim, 6)}))
    else:
        print(f"{name}\t{psnr:.3f} dB\t{ssim:.4f}")
