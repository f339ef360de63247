"""What the user names, as pictures to read: files, folders, globs, and lists of them. No picture is opened."""

from __future__ import annotations

import codecs
import errno
import glob
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from restore_cli.errors import RestoreError, UnreadablePictureError, UsageError
from restore_cli.picture.formats import ALSO_KNOWN, FORMATS, READ_SUFFIXES, UNREAD_SUFFIXES

STANDARD_STREAM = "-"
"""The name of standard input and standard output on the command line."""
PICTURE_SUFFIXES = frozenset((*(suffix for format in FORMATS for suffix in format.suffixes), *READ_SUFFIXES))
"""Endings by which a folder's files are taken for pictures."""
Stamp = tuple[int, int]
"""A file's bytes and the time of its last change in nanoseconds: while both stay, so does the file."""
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)
"""What the system says of names that no file has, or can have."""
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
"""What lists of names hardly hold, and the beginnings of pictures do."""
LIST_START = 256
"""Bytes of a list that are looked at to see whether it is one."""
URL = re.compile(r"https?://", re.IGNORECASE)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
UTF_8 = "write it as UTF-8: in cmd after 'chcp 65001', in PowerShell with 'Out-File -Encoding utf8'"
"""How lists come to be of bytes that are names."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture to read."""

    path: Path
    root: Path | None
    """The folder the user named, in which this file was found; None where the file itself was named."""

    @property
    def below(self) -> Path:
        """The folders between `root` and the file."""
        return self.path.parent.relative_to(self.root) if self.root is not None else Path()


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts into which pictures fall by their names, wherever and whenever that is asked."""

    number: int
    """1 to `count`."""
    count: int

    def holds(self, source: Source) -> bool:
        """Tell whether `source` is in this part; its name and the folders below the one that was named decide."""
        name = os.fsencode((source.below / source.path.name).as_posix())
        return zlib.crc32(name) % self.count == self.number - 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something the user named that cannot become a job."""

    name: str
    error: RestoreError


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder and those in it."""

    pictures: list[Path]
    """Sorted, folder by folder."""
    passed_over: int
    """Files that are hidden, or neither pictures nor links that lead nowhere, and links to folders."""
    refusals: list[Refusal]
    """Folders that cannot be read."""
    unread: list[Path]
    """Those of the files that are passed over that are pictures of kinds that are not read."""


@dataclass(frozen=True, slots=True)
class FoundSources:
    """All that the names stand for, each picture once."""

    sources: tuple[Source, ...]
    refusals: tuple[Refusal, ...]
    passed_over: int
    """Files in folders that are hidden or no pictures."""
    unread: tuple[Path, ...] = ()
    """Those of the files that are passed over that are pictures of kinds that are not read."""


def find_sources(
    names: Iterable[str], listed: Iterable[str] = (), *, recursive: bool, output: str | None
) -> FoundSources:
    """Expand files, folders and globs, the last not in what is `listed`; the folder `output` is not read back.

    Of several, none is a pipe or a device, which might keep all others waiting.
    """
    sources: dict[str, Source] = {}
    refusals: dict[str, Refusal] = {}
    passed_over, unread = 0, list[Path]()
    for name, may_be_glob in chain(((name, True) for name in names), ((name, False) for name in listed)):
        found = _expand(name, recursive, output, may_be_glob=may_be_glob)
        sources |= {absolute(source.path): source for source in found.sources}
        passed_over += found.passed_over
        unread += found.unread
        refusals |= {refusal.name: refusal for refusal in found.refusals}
    if len(sources) > 1:
        special = [key for key, source in sources.items() if source.root is None and _is_special(source.path)]
        for key in special:
            name = str(sources.pop(key).path)
            error = UnreadablePictureError(f"cannot read {name}: it is no ordinary file", "name it alone")
            refusals[name] = Refusal(name, error)
    return FoundSources(tuple(sources.values()), tuple(refusals.values()), passed_over, tuple(unread))


def absolute(path: Path) -> str:
    """Return the absolute name of a file; where `..` follows a link, it leads out of what that stands for."""
    if ".." in os.fspath(path) and ".." in path.parts:  # the first is fast
        return os.path.join(os.path.realpath(path.parent), path.name)
    return os.path.abspath(path)


def is_picture_name(name: str) -> bool:
    """Tell whether a file of this name in a folder is taken for a picture: by its ending, unless it is hidden."""
    return _ends_in(name, PICTURE_SUFFIXES)


def is_unread_name(name: str) -> bool:
    """Tell whether a file of this name in a folder is taken for a picture of a kind that is not read."""
    return _ends_in(name, UNREAD_SUFFIXES)


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file; None if there is none, or something else has its name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def holds_tiles(folder: Path) -> bool:
    """Tell whether a folder belongs to a Deep Zoom picture beside it, of which it holds the tiles."""
    name = folder.name.removesuffix("_files")
    return name != folder.name and os.path.isfile(folder.with_name(f"{name}.dzi"))


def pictures_in(folder: Path, recursive: bool, output: Path | None) -> Listing:
    """List the pictures below `folder`, without those in the resolved folder `output` and tiles of Deep Zoom."""
    pictures, unread, passed_over, refusals = [], list[Path](), 0, list[Refusal]()

    def refuse(error: OSError) -> None:
        refusals.append(_unreadable(str(error.filename), error))

    for path in _files_in(folder, recursive, output, refuse):
        if is_picture_name(path.name) and not _is_special(path):
            pictures.append(path)
            continue
        passed_over += 1
        if is_unread_name(path.name):
            unread.append(path)
    return Listing(pictures, passed_over, refusals, unread)


def read_list(file: str, *, null: bool = False) -> list[str]:
    """Read names, one a line, from a file, or from standard input where it is called `-`.

    `null` says that each ends with NUL, as `find -print0` writes them, which is also understood without it; they may
    then hold line breaks. Names are bytes to the system, and stay the bytes they are, unless the list says that it is
    UTF-16, as PowerShell writes it.

    Raises:
        UsageError: the list cannot be read.
    """
    if file == STANDARD_STREAM and sys.__stdin__ is None:
        raise UsageError("standard input is closed, and the list should come from there", "pipe it in, or name a file")
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_STREAM else Path(file).read_bytes()
        if content.startswith(UTF_16_MARKS) and b"\0" in content and not null:  # no name alone that begins so
            content = os.fsencode(content.decode("utf-16"))
        content = content.removeprefix(codecs.BOM_UTF8)
        if not null and b"\0" in content and CONTROL.search(content, 0, LIST_START):
            raise UsageError(f"{file} is no list of names", "name a picture without --from-file")
        if null or b"\0" in content:
            names = content.split(b"\0")
        else:
            names = [line.rstrip(b"\r") for line in content.split(b"\n")]
        return [os.fsdecode(name) for name in names if name]
    except UnicodeError as error:  # Windows takes no other bytes for names than UTF-8
        raise UsageError(f"cannot read the list {file}: its text is damaged or not UTF-8", UTF_8) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the list {file}: {reason}") from error


def _expand(name: str, recursive: bool, output: str | None, *, may_be_glob: bool) -> FoundSources:
    """Return the pictures that `name` stands for, and why there are none."""
    path = Path(name)
    if os.path.isdir(path):  # unlike Path.is_dir, it never raises
        listing = pictures_in(path, recursive, Path(output).resolve() if output else None)
        refusals = listing.refusals
        if not listing.pictures and not refusals:
            error = UnreadablePictureError(f"there are no pictures in {name}", _known_endings())
            refusals = [Refusal(name, error)]
        sources = tuple(Source(file, path) for file in listing.pictures)
        return FoundSources(sources, tuple(refusals), listing.passed_over, tuple(listing.unread))
    try:
        os.stat(path)
        return FoundSources((Source(path, None),), (), 0)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in NOT_THERE:
            return FoundSources((), (_unreadable(name, error),), 0)
    is_glob = may_be_glob and glob.has_magic(name)
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))] if is_glob else []
    files = [path for path in matches if path.suffix.lower() in PICTURE_SUFFIXES]
    if files:
        sources = tuple(Source(file, None) for file in files)
        unread = tuple(path for path in matches if is_unread_name(path.name))
        return FoundSources(sources, (), len(matches) - len(files), unread)
    what = "no picture matches" if is_glob else "there is no file"
    absent = UnreadablePictureError(f"{what} {name}", _absence_hint(name, is_glob=is_glob))
    return FoundSources((), (Refusal(name, absent),), 0)


def _absence_hint(name: str, *, is_glob: bool) -> str:
    """Say what may have been meant by the name of a picture that is not there."""
    if is_glob:
        return "check the pattern and the folder"
    if URL.match(name):
        return "download it first, or pipe it in: curl URL | restore upscale - -o result.jpg"
    if NUMBER.fullmatch(name):
        return f"a scale is given by --scale {name}"
    return "check the name and the folder; quote a name with spaces; a result is named after -o"


def _unreadable(name: str, error: OSError) -> Refusal:
    return Refusal(name, UnreadablePictureError(f"cannot read {name}: {error.strerror}"))


def _ends_in(name: str, suffixes: frozenset[str]) -> bool:
    """Tell whether a name has one of the endings, which are in lower case, and is not hidden."""
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


def _is_special(path: Path) -> bool:
    """Tell whether a name belongs to a pipe or a device, which might keep whoever opens it waiting for ever."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:  # such as a link that leads nowhere: it is told of where it is read
        return False


def _known_endings() -> str:
    return f"pictures are files that end in {', '.join(sorted(PICTURE_SUFFIXES))}{ALSO_KNOWN}"


def _files_in(folder: Path, recursive: bool, output: Path | None, refuse: Callable[[OSError], None]) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=refuse):
        here = Path(place)
        yield from (here / file for file in sorted(files))
        yield from (here / name for name in sorted(folders) if os.path.islink(here / name))  # which are not followed
        folders[:] = sorted(name for name in folders if recursive and _is_searched(here / name, output))


def _is_searched(folder: Path, output: Path | None) -> bool:
    return not (folder.name.startswith(".") or folder.resolve() == output or holds_tiles(folder))
