"""Deep Zoom: a picture cut into small JPEGs at every size, for viewers on the web.

A file NAME.dzi says how large it is, and a folder NAME_files holds a folder of tiles for each size.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from restore_cli.errors import UnwritablePictureError
from restore_cli.files.replacing import TEMPORARY_SUFFIX, locked_folder, mark_beside, patiently

TILE, OVERLAP = 254, 1
"""What viewers expect: with an overlap on both sides a tile has 256 pixels."""
TILE_NAME = re.compile(r"\d+_\d+\.(?:jpe?g|png)")
"""COLUMN_ROW of a tile, as this and other programs call it."""
PROPERTIES = "vips-properties.xml"
"""What libvips says of itself; no viewer reads it."""
NAME = "picture"
"""What the pyramid is called until it takes its place."""
OLD = "old"
"""What the one is called whose place it takes."""


def encode(image: Any, folder: Path, quality: int) -> None:
    """Write an image of 1 or 3 bands as a pyramid to an empty folder.

    Raises:
        pyvips.Error: a file could not be written.
    """
    suffix = f".jpg[Q={quality},keep=none]"
    image.dzsave(str(folder / NAME), suffix=suffix, tile_size=TILE, overlap=OVERLAP, keep="none")
    (folder / f"{NAME}_files" / PROPERTIES).unlink(missing_ok=True)


@contextmanager
def replacing_pyramid(target: Path) -> Iterator[Path]:
    """Make a folder beside `target`, NAME.dzi; when the pyramid in it is whole, that takes its place.

    The folder of tiles comes first and NAME.dzi last, so that it stands for a whole picture whenever it is there; if
    either cannot take its place, an old pyramid comes back. What an earlier run left that was killed is removed.

    Raises:
        UnwritablePictureError: something else has the name of the file or of the folder.
        OSError: the folder cannot be written, or the disk is full.
    """
    tiles = target.with_name(f"{target.stem}_files")
    if target.exists() and not target.is_file():
        raise UnwritablePictureError("it is no ordinary file")
    if os.path.lexists(tiles) and not _holds_tiles_alone(tiles):
        raise UnwritablePictureError(f"{tiles.name} holds something else than tiles", "choose another -o")
    temporary = mark_beside(target, TEMPORARY_SUFFIX)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        with locked_folder(temporary):
            yield temporary
            if hasattr(os, "sync"):  # all of the system's, since a pyramid has too many files to wait for each
                os.sync()
            _take_place(temporary, target, tiles)
    finally:
        if target.exists() or not any(temporary.glob(f"{OLD}*")):  # else it is all there is of the old one
            shutil.rmtree(temporary, ignore_errors=True)


def _take_place(folder: Path, target: Path, tiles: Path) -> None:
    """Let the pyramid in `folder` take its place; what had it is in `folder` then, or back there after an error."""
    new_tiles, old_tiles, old_target = (folder / name for name in (f"{NAME}_files", f"{OLD}_files", f"{OLD}.dzi"))
    try:
        if target.exists():
            patiently(os.replace, target, old_target)
        if tiles.exists():
            patiently(Path.rename, tiles, old_tiles)
        patiently(Path.rename, new_tiles, tiles)
        patiently(os.replace, folder / f"{NAME}.dzi", target)
    except BaseException:
        if not new_tiles.exists():
            patiently(Path.rename, tiles, new_tiles)
        if old_tiles.exists():
            patiently(Path.rename, old_tiles, tiles)
        if old_target.exists():
            patiently(os.replace, old_target, target)
        raise


def _holds_tiles_alone(folder: Path) -> bool:
    """Tell whether all that lies in a folder are folders of tiles: nothing else is ever removed."""
    return folder.is_dir() and all(
        part.name == PROPERTIES or (part.name.isdigit() and part.is_dir() and all(map(_is_tile, part.iterdir())))
        for part in folder.iterdir()
    )


def _is_tile(file: Path) -> bool:
    return TILE_NAME.fullmatch(file.name) is not None and file.is_file()
